DROP TABLE index_position;
