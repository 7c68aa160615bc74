DROP TABLE deleted_from;
