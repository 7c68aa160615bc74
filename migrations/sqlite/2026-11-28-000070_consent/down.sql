DROP INDEX compartment_by_rid;
DROP TABLE consent_rule;
