DROP TABLE binary_creator;
