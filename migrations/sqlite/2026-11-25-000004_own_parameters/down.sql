DROP TABLE own_parameter;
DROP TABLE index_rules;
