-- Names: by what canonical references call definitions, and what definitions are called, as rows of index_reference.

-- Where there are definitions with a URL, or canonical references, `reindex` makes these rows. All other databases have
-- none to make. The numbers are those of the parameters `url` of definitions, and of the references that may be canonical.
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (
    SELECT 1 FROM index_uri WHERE param IN (
        29, 137, 197, 258, 303, 347, 394, 539, 606, 628, 650, 663, 717, 809, 860, 912, 1047, 1165, 1273, 1348, 1412,
        1434, 1488, 1514, 1583, 1599, 1659, 1681, 1699
    )
) OR EXISTS (
    SELECT 1 FROM index_reference WHERE param >= 4096 OR param IN (
        9, 16, 17, 23, 26, 125, 131, 135, 150, 255, 264, 334, 337, 340, 342, 345, 456, 586, 593, 594, 600, 603, 608,
        615, 616, 622, 625, 630, 637, 638, 644, 647, 685, 799, 802, 838, 846, 847, 853, 856, 892, 899, 900, 906, 909,
        917, 1043, 1100, 1145, 1154, 1159, 1251, 1258, 1259, 1260, 1266, 1269, 1311, 1357, 1384, 1392, 1399, 1400,
        1406, 1409, 1414, 1421, 1422, 1428, 1431, 1499, 1506, 1523, 1561, 1584
    )
);
