//! Joins: conditions, keys and the merged columns of USING.
//!
//! Invariant: a join's keys are pairs of columns of one type without floats; every other condition is
//! its residual, evaluated in SQL's three-valued logic.

use super::clauses::split_and;
use super::relations::types;
use super::scope::{Field, Scope};
use super::state::{Binder, Calls, Exprs};
use super::trees::connective;
use crate::plan::rel::{Column, Join, JoinKind, Node, Rel};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::function::operator;
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::{foreign, invalid, refuse};
use datafusion::sql::sqlparser::ast::{JoinConstraint, JoinOperator};
use flinkspark_model::Result;

impl Binder<'_> {
    pub(super) fn join(
        &mut self,
        (left, left_scope): (Rel, Scope),
        (right, right_scope): (Rel, Scope),
        kind: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<(Rel, Scope)> {
        let width = left.columns.len();
        let mut columns: Vec<Column> = left.columns.iter().chain(&right.columns).cloned().collect();
        // Conditions are bound before the outer side becomes nullable, and over columns, not constants.
        let inner: Vec<FlinkType> = columns.iter().map(|column| column.ty.clone()).collect();
        let names = self.using(&left_scope, &right_scope, constraint)?;
        let scope = as_columns(left_scope).joined(as_columns(right_scope), width);
        let mut conditions = Vec::new();
        if let JoinConstraint::On(condition) = constraint {
            let mut conjuncts = Vec::new();
            split_and(condition, &mut conjuncts);
            for conjunct in conjuncts {
                let mut calls = Calls::default();
                conditions.push(
                    Exprs {
                        binder: self,
                        scope: &scope,
                        calls: &mut calls,
                    }
                    .condition(conjunct)?,
                );
            }
        }
        for (_, left, right) in &names {
            conditions.push(
                operator::EQUAL.call(vec![column_at(*left, &inner), column_at(*right, &inner)])?,
            );
        }
        if let Some(mixed) = conditions
            .iter()
            .find(|condition| joins_mixed(condition, width))
        {
            return Err(refuse(format!("the join condition {mixed}"), "float-key"));
        }
        let (keys, rest) = split_keys(conditions, width);
        if kind == JoinKind::Full && keys.is_empty() {
            return Err(refuse(
                "a FULL JOIN without an equality of columns",
                "clause",
            ));
        }
        let nullable = |index: usize| match kind {
            JoinKind::Full => true,
            JoinKind::Left => index >= width,
            JoinKind::Right => index < width,
            _ => false,
        };
        for (index, column) in columns.iter_mut().enumerate() {
            column.ty.nullable |= nullable(index);
        }
        let residual = (!rest.is_empty()).then(|| connective(rest, true));
        let rel = Rel {
            node: Node::Join(Box::new(Join {
                left,
                right,
                kind,
                keys,
                residual,
            })),
            columns,
        };
        let types = types(&rel);
        let scope = retyped(scope, &types);
        Ok((rel, merged(scope, names, kind, &types)?))
    }

    /// The names of USING or NATURAL with their positions on both sides.
    fn using(
        &self,
        left: &Scope,
        right: &Scope,
        constraint: &JoinConstraint,
    ) -> Result<Vec<(String, usize, usize)>> {
        let names: Vec<String> = match constraint {
            JoinConstraint::On(_) | JoinConstraint::None => return Ok(vec![]),
            JoinConstraint::Using(names) => names
                .iter()
                .map(|name| name.to_string().replace('`', ""))
                .collect(),
            JoinConstraint::Natural => {
                let shared =
                    |field: &&Field| field.visible && right.resolve(None, &field.name).is_ok();
                left.fields
                    .iter()
                    .filter(shared)
                    .map(|field| field.name.clone())
                    .collect()
            }
        };
        let place = |scope: &Scope, name: &str| {
            scope.resolve(None, name)?;
            let place = scope
                .fields
                .iter()
                .position(|field| field.visible && field.name == name);
            place.ok_or_else(|| invalid(format!("column '{name}' not found")))
        };
        let offset = left.fields.len();
        if left
            .fields
            .iter()
            .chain(&right.fields)
            .any(|field| !field.visible)
        {
            return Err(refuse("USING or NATURAL over another USING", "clause"));
        }
        names
            .into_iter()
            .map(|name| {
                Ok((
                    name.clone(),
                    place(left, &name)?,
                    offset + place(right, &name)?,
                ))
            })
            .collect()
    }
}

pub(super) fn kind_of(operator: &JoinOperator) -> Result<(JoinKind, &JoinConstraint)> {
    Ok(match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            (JoinKind::Inner, constraint)
        }
        JoinOperator::CrossJoin(constraint) => (JoinKind::Inner, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
            (JoinKind::Left, constraint)
        }
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (JoinKind::Right, constraint)
        }
        JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
        _ => return Err(refuse("this kind of join", "clause")),
    })
}

pub(super) fn column_at(index: usize, types: &[FlinkType]) -> Expr {
    Expr::column(
        index,
        types
            .get(index)
            .cloned()
            .unwrap_or(FlinkType::nullable(Root::Null)),
    )
}

/// Every field as the column at its place.
fn as_columns(scope: Scope) -> Scope {
    let plain = |(index, field): (usize, Field)| {
        let expr = match field.expr.kind {
            ExprKind::Literal(_) => Expr::column(index, field.expr.ty),
            _ => field.expr,
        };
        Field { expr, ..field }
    };
    Scope {
        fields: scope.fields.into_iter().enumerate().map(plain).collect(),
    }
}

/// Plain columns with the types that the join gave them.
fn retyped(mut scope: Scope, types: &[FlinkType]) -> Scope {
    for field in &mut scope.fields {
        if let ExprKind::Column(index) = field.expr.kind {
            field.expr = column_at(index, types);
        }
    }
    scope
}

/// Equalities of a left and a right column of one exact type become keys.
fn split_keys(conditions: Vec<Expr>, width: usize) -> (Vec<(usize, usize)>, Vec<Expr>) {
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in conditions {
        match key_of(&condition, width) {
            Some(key) => keys.push(key),
            None => rest.push(condition),
        }
    }
    (keys, rest)
}

/// Whether a DOUBLE of one side must equal a DECIMAL of the other: as a key Flink converts them, as a
/// condition it does not.
fn joins_mixed(condition: &Expr, width: usize) -> bool {
    let ExprKind::Call(function, args) = &condition.kind else {
        return false;
    };
    let [left, right] = args.as_slice() else {
        return false;
    };
    let sides = |expr: &Expr| {
        let columns = expr.columns();
        let left = columns.iter().any(|column| *column < width);
        (left, columns.iter().any(|column| *column >= width))
    };
    **function == operator::EQUAL
        && operator::is_beside_decimal(&left.ty.root, &right.ty.root)
        && sides(left) != sides(right)
        && !left.is_constant()
        && !right.is_constant()
}

fn key_of(condition: &Expr, width: usize) -> Option<(usize, usize)> {
    let ExprKind::Call(function, args) = &condition.kind else {
        return None;
    };
    let [
        Expr {
            kind: ExprKind::Column(a),
            ty: x,
        },
        Expr {
            kind: ExprKind::Column(b),
            ty: y,
        },
    ] = args.as_slice()
    else {
        return None;
    };
    let same = x.root.arrow() == y.root.arrow() && !x.root.is_approximate() && !x.root.is_nested();
    if !same || **function != operator::EQUAL {
        return None;
    }
    match (*a < width, *b < width) {
        (true, false) => Some((*a, *b - width)),
        (false, true) => Some((*b, *a - width)),
        _ => None,
    }
}

/// The scope after USING: the merged columns come first and hide both of their sources.
fn merged(
    mut scope: Scope,
    names: Vec<(String, usize, usize)>,
    kind: JoinKind,
    types: &[FlinkType],
) -> Result<Scope> {
    let mut fields = Vec::with_capacity(names.len());
    for (name, left, right) in names {
        let (l, r) = (column_at(left, types), column_at(right, types));
        let expr = match kind {
            JoinKind::Right => r,
            JoinKind::Full => {
                let nullable = types.get(left).is_some_and(|ty| ty.nullable)
                    && types.get(right).is_some_and(|ty| ty.nullable);
                if let Root::Foreign(ty) = &l.ty.root {
                    return Err(foreign::unread("FULL JOIN USING a column", ty));
                }
                if l.ty.root != r.ty.root {
                    return Err(refuse(
                        "FULL JOIN USING over columns of different types",
                        "implicit-conversion",
                    ));
                }
                let ty = l.ty.with_nullable(nullable);
                Expr {
                    kind: ExprKind::Coalesce(vec![l, r]),
                    ty,
                }
            }
            _ => l,
        };
        scope.fields[left].visible = false;
        scope.fields[right].visible = false;
        fields.push(Field {
            qualifier: None,
            name,
            expr,
            visible: true,
        });
    }
    fields.extend(scope.fields);
    Ok(Scope { fields })
}
