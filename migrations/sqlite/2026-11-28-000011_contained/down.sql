DROP TABLE contained;
