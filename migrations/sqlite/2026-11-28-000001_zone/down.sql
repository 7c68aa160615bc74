ALTER TABLE index_rules DROP COLUMN zone_minutes;
