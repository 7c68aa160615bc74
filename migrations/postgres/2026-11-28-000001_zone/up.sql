-- By which zone dates that name none are in the index: minutes east of UTC. NULL while it is not known, for resources that an
-- earlier release has written: then what the settings say when it is first asked.
ALTER TABLE index_rules ADD COLUMN zone_minutes SMALLINT;
UPDATE index_rules SET zone_minutes = 0 WHERE NOT EXISTS (SELECT 1 FROM resource);
