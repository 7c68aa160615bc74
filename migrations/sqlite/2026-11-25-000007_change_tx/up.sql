-- One writer numbers the changes here, in the order of commits: nothing is to be added.
SELECT 1;
