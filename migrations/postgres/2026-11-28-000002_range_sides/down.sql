UPDATE index_quantity SET edge = edge % 4 WHERE edge > 3;
