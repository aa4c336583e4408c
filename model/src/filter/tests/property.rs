//! Statistics against rows: what they deny, no row has.

use crate::filter::*;
use arrow_schema::DataType;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Row = Vec<Option<Value>>;

/// Numbers at the ends and near zero; bytes with last bytes, long and short.
fn value(column: usize) -> BoxedStrategy<Value> {
    match column {
        0 => prop_oneof![4 => -3..4_i128, 1 => Just(i64::MIN.into()), 1 => Just(u64::MAX.into())]
            .prop_map(Value::number)
            .boxed(),
        _ => (
            prop_oneof![Just(0_usize), 1..3_usize, 60..70_usize],
            prop::collection::vec(prop_oneof![Just(255_u8), 97..100_u8], 0..3),
        )
            .prop_map(|(fill, end)| {
                let mut bytes = vec![255; fill];
                bytes.extend(end);
                Value::Bytes(bytes)
            })
            .boxed(),
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let cell = |column| prop::option::weighted(0.7, value(column));
    prop::collection::vec((cell(0), cell(1)).prop_map(|(a, b)| vec![a, b]), 0..6)
}

fn term() -> impl Strategy<Value = Node> {
    use Operator::*;
    (0..2_usize).prop_flat_map(|column| {
        let operator = prop::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge]);
        let prefix = value(1).prop_map(move |value| match value {
            Value::Bytes(bytes) if column == 1 => Test::Prefix(Some(bytes)),
            _ => Test::Prefix(None),
        });
        prop_oneof![
            4 => (operator, prop::option::weighted(0.9, value(column))).prop_map(|(operator, value)| Test::Compare(operator, value)),
            1 => (prop::collection::vec(value(column), 0..4), any::<bool>()).prop_map(|(values, null)| Test::In { values, null }),
            1 => prefix,
            1 => Just(Test::IsNull),
        ]
        .prop_map(move |test| Node::Term(Term { column, test }))
    })
}

fn node() -> impl Strategy<Value = Node> {
    term().prop_recursive(4, 16, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts.clone().prop_map(Node::And),
            parts.prop_map(Node::Or),
            inner.prop_map(|part| Node::Not(Box::new(part)))
        ]
    })
}

/// SQL's three values, one row at a time.
fn holds(node: &Node, row: &Row) -> Option<bool> {
    match node {
        Node::And(parts) => join(parts, row, false),
        Node::Or(parts) => join(parts, row, true),
        Node::Not(part) => holds(part, row).map(|is| !is),
        Node::Term(Term { column, test }) => test_holds(test, row[*column].as_ref()),
    }
}

/// What one part decides alone, else unknown if any is.
fn join(parts: &[Node], row: &Row, decides: bool) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.iter().map(|part| holds(part, row)).collect();
    match (parts.contains(&Some(decides)), parts.contains(&None)) {
        (true, _) => Some(decides),
        (false, true) => None,
        (false, false) => Some(!decides),
    }
}

fn test_holds(test: &Test, cell: Option<&Value>) -> Option<bool> {
    match test {
        Test::IsNull => Some(cell.is_none()),
        Test::Compare(operator, literal) => {
            let (cell, literal) = (cell?, literal.as_ref()?);
            Some(match operator {
                Operator::Eq => cell == literal,
                Operator::Ne => cell != literal,
                Operator::Lt => cell < literal,
                Operator::Le => cell <= literal,
                Operator::Gt => cell > literal,
                Operator::Ge => cell >= literal,
            })
        }
        Test::In { values, null } => match values.contains(cell?) {
            false if *null => None,
            found => Some(found),
        },
        Test::Prefix(prefix) => match (cell?, prefix.as_ref()?) {
            (Value::Bytes(bytes), prefix) => Some(bytes.starts_with(prefix)),
            (Value::Number(_), _) => None,
        },
        Test::Residual => None,
    }
}

fn known(rows: &[Row], column: usize) -> ColumnStatistics {
    let values = rows.iter().filter_map(|row| row[column].clone());
    let bounds = values.clone().min().zip(values.clone().max());
    ColumnStatistics::new(
        rows.len() as u64,
        (rows.len() - values.count()) as u64,
        bounds,
    )
}

const TYPES: [DataType; 2] = [DataType::Int64, DataType::Binary];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_row_that_matches_is_denied(some in rows(), more in rows(), node in node()) {
        let mut statistics = BTreeMap::new();
        for (column, data_type) in TYPES.iter().enumerate() {
            let mut known_here = known(&some, column);
            known_here.merge(&known(&more, column));
            let text = known_here.to_text();
            let read = ColumnStatistics::from_text(&text, known_here.rows, data_type);
            prop_assert_eq!(read.as_ref(), Some(&known_here), "{}", text);
            statistics.insert(column, known_here);
        }
        let matches = some.iter().chain(&more).any(|row| holds(&node, row) == Some(true));
        let bound = Bound::of(node);
        prop_assert!(!matches || bound.may_match(&statistics));
        statistics.remove(&0);
        prop_assert!(!matches || bound.may_match(&statistics));
    }

    #[test]
    fn whatever_a_text_of_statistics_is_reading_it_returns(text in ".{0,20}|[0-9]{1,3},x?[0-9a-f]{0,6},x?[0-9a-f]{0,6}", rows in 0..9_u64) {
        for data_type in [DataType::Int64, DataType::Utf8, DataType::Float64] {
            if let Some(read) = ColumnStatistics::from_text(&text, rows, &data_type) {
                prop_assert!(read.nulls <= rows);
                prop_assert!(read.min.iter().zip(&read.max).all(|(min, max)| min <= max));
            }
        }
    }
}
