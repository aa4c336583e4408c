//! The ledger of differences between Flink, Spark and the bundled engines.
//!
//! Owns one entry for each difference that a refusal or a rewrite names. Invariant: ids are stable and
//! unique; `job explain` and error texts quote them.

/// One known difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The stable id, kebab-case.
    pub id: &'static str,
    /// Who does what.
    pub difference: &'static str,
    /// What to write instead.
    pub way_out: &'static str,
}

const fn entry(id: &'static str, difference: &'static str, way_out: &'static str) -> Entry {
    Entry {
        id,
        difference,
        way_out,
    }
}

/// Every entry.
pub const ENTRIES: &[Entry] = &[
    entry(
        "aggregate-type",
        "this aggregate's answer over this type was not probed, or differs",
        "CAST the argument to a numeric or text type first",
    ),
    entry(
        "array-functions",
        "Flink's array functions widen, slice and compare elements by rules that were not probed for this form",
        "use literal positions and elements of one scalar type",
    ),
    entry(
        "array-index",
        "beyond the end of an array of NOT NULL elements Flink gives a type's default instead of NULL",
        "CAST the array to one with nullable elements",
    ),
    entry(
        "byte-characters",
        "ASCII and CHR work on single bytes in Flink, on code points in Spark and DataFusion",
        "use ASCII literals",
    ),
    entry(
        "cast-pair",
        "this pair of types casts differently among the engines, or not at all in Flink",
        "CAST through STRING, or through an exact number",
    ),
    entry(
        "clause",
        "this clause is not in the set that is known to agree",
        "rewrite the statement without it",
    ),
    entry(
        "constant-folding",
        "Flink evaluates constants while planning, by other rules than rows",
        "read the value from a column",
    ),
    entry(
        "correlated-subquery",
        "Flink 2.3 plans a subquery that reads the query around it over datasets only, and not in each form",
        "read datasets instead of VALUES and compare with =, or write a JOIN",
    ),
    entry(
        "date-pattern",
        "Java's, Spark's and chrono's pattern letters differ",
        "use yyyy MM dd HH mm ss SSS",
    ),
    entry(
        "datetime-arithmetic",
        "dates, timestamps and intervals add by different rules in each engine",
        "CAST to TIMESTAMP(3) and add an interval literal",
    ),
    entry(
        "decimal-overflow",
        "beyond 38 digits Flink gives NULL, the others fail; a sum is NULL where that of all rows is beyond them",
        "CAST both sides to a narrower DECIMAL",
    ),
    entry(
        "float-key",
        "-0.0 and NaN group, join and rank differently in each engine",
        "CAST the key to DECIMAL or STRING",
    ),
    entry(
        "float-mixed",
        "Flink computes FLOAT with other numbers in the type of the left side",
        "CAST both sides to DOUBLE",
    ),
    entry(
        "function",
        "the function is not in the set that is known to agree",
        "use a function that `job explain --functions` lists",
    ),
    entry(
        "group-by-name",
        "Flink resolves neither ordinals nor aliases in GROUP BY and HAVING",
        "repeat the expression",
    ),
    entry(
        "identifier-case",
        "Flink's names have case, Spark's have none, DataFusion folds them",
        "write the name as it was declared",
    ),
    entry(
        "implicit-conversion",
        "Flink refuses or converts these types implicitly where Spark casts them",
        "CAST one side explicitly",
    ),
    entry(
        "in-subquery",
        "IN (subquery) outside a plain filter gives other answers on NULLs",
        "move it to WHERE, joined by AND",
    ),
    entry(
        "integer-overflow",
        "integers wrap in Flink, fail in Spark",
        "CAST to DECIMAL(38, 0)",
    ),
    entry(
        "like-escape",
        "LIKE's default escape character and its errors differ",
        "use a literal ESCAPE of one character",
    ),
    entry(
        "limit-order",
        "LIMIT without a total order is arbitrary",
        "ORDER BY every column that is selected",
    ),
    entry(
        "math-digits",
        "the engines' mathematical libraries differ in the last digit",
        "use LN, EXP, POWER or SQRT, or round the result",
    ),
    entry(
        "nan-condition",
        "Flink rewrites conditions before it evaluates them, NOT (x > c) to x <= c, and takes those that leave out nothing \
         for TRUE: a NaN sees it",
        "write the condition without NOT, IS FALSE or a CASE over it, or test CAST(x AS STRING) = 'NaN' first",
    ),
    entry(
        "nan-equality",
        "NaN equals nothing in Flink, itself in Spark and DataFusion, and Flink folds x = x to TRUE",
        "test CAST(x AS STRING) = 'NaN'",
    ),
    entry(
        "null-order",
        "NULL is the lowest value in Flink and Spark, the highest in DataFusion",
        "NULLS FIRST or NULLS LAST is always added",
    ),
    entry(
        "order-sensitive",
        "the order of rows decides this aggregate's answer: here that of the dataset's partitions and of their logs",
        "aggregate DECIMALs, or the dataset itself before it is joined or grouped",
    ),
    entry(
        "over-window",
        "OVER clauses of this form were not probed, or Flink cannot plan them",
        "use ROW_NUMBER, RANK, LAG or an integer aggregate with an ORDER BY",
    ),
    entry(
        "regex-dialect",
        "Java's and Rust's regular expressions differ here",
        "use literals, classes, groups, ?, *, + and |",
    ),
    entry(
        "round-digits",
        "the number of digits decides a decimal's type",
        "write the digits as a literal",
    ),
    entry(
        "set-operation",
        "INTERSECT ALL and EXCEPT ALL count differently in DataFusion",
        "the rewrite by row numbers is always used",
    ),
    entry(
        "string-order",
        "Flink orders text by code points or by UTF-16 units, as it happens to hold it",
        "compare text without characters beyond U+FFFF",
    ),
    entry(
        "sum-type",
        "SUM and AVG of integers keep the integer's type in Flink",
        "CAST the argument to DOUBLE or DECIMAL",
    ),
    entry(
        "syntax",
        "the form is not in the grammar that is known to agree",
        "write it in Flink's standard form",
    ),
    entry(
        "text-position",
        "positions that are not positive are clipped by different rules",
        "use positive literals",
    ),
    entry(
        "time-unit",
        "this unit's value or type differs",
        "use YEAR, MONTH, DAY, HOUR, MINUTE or SECOND",
    ),
    entry(
        "type",
        "the type has no counterpart that is known to agree",
        "CAST to a scalar type",
    ),
    entry(
        "window-function",
        "this window function is not implemented on the bundled engines yet",
        "use TUMBLE",
    ),
];

/// The entry with this id; an id that is not in the ledger gives the entry of its own absence.
pub fn find(id: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.id == id)
}

/// What the entry with this id says; empty for an id that is not in the ledger.
pub fn text(id: &str) -> &'static str {
    find(id).map_or("", |entry| entry.difference)
}

/// The entry that a refusal names.
pub fn named(id: &'static str) -> Entry {
    find(id).copied().unwrap_or(Entry {
        id,
        difference: "a difference without an entry",
        way_out: "report this as a bug",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_unique() {
        assert!(ENTRIES.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(ENTRIES.iter().all(|entry| find(entry.id) == Some(entry)));
    }
}
