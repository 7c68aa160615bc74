-- Where Locations are, as points of a sphere with the radius 1: z to the north, x to the meridian of Greenwich. A search
-- by distance is a range of z, then the length of a chord. Locations that are stored already get their rows by a rebuild.
CREATE TABLE index_position (
    z DOUBLE NOT NULL,
    x DOUBLE NOT NULL,
    y DOUBLE NOT NULL,
    rid BIGINT NOT NULL,
    PRIMARY KEY (z, x, y, rid)
) WITHOUT ROWID;
