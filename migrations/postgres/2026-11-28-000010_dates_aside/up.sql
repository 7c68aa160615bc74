-- The few dates that may match far from where they begin: several of one resource, and those longer than 31 days. All
-- others are read in the order of their beginnings, from the first that can match to the last.
CREATE INDEX index_date_aside ON index_date (param, rid) WHERE (edge <> 0 OR lo_us < hi_us - 2678400000000);
