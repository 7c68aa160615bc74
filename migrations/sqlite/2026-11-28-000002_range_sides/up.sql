-- The mark of a quantity, `edge`, tells the two ends of a Range from other values: plus 4 for the low end, plus 8 for the high
-- one, so that `sa` and `eb` find what lies wholly above or below. Rows of Ranges that are there already lack that: where a
-- parameter has values that may be Ranges, `reindex` makes them.
UPDATE index_rules SET is_stale = 1 WHERE EXISTS (SELECT 1 FROM index_quantity WHERE param IN (
    11, 117, 185, 243, 293, 324, 349, 361, 526, 588, 610, 632, 653, 706, 794, 841, 894, 1032, 1078, 1148,
    1253, 1333, 1394, 1416, 1471, 1475, 1501, 1564, 1587, 1648, 1668, 1685
) OR param >= 4096);
