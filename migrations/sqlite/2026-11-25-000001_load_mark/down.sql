DROP TABLE load_mark;
