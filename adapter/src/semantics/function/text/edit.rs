//! Functions that build or take apart text.
//!
//! Invariant: no result has more than [`TEXT_CHARACTERS_MAX`] characters.

use super::{integer, text};
use crate::semantics::expr::Expr;
use crate::semantics::function::Call;
use crate::semantics::function::signature::{Want, as_nullable_as, want};
use crate::semantics::refuse;
use crate::semantics::types::{FlinkType, Root, STRING_LENGTH};
use crate::semantics::value::Value;
use Want::{Int, Text};
use flinkspark_model::Result;

/// The most characters that LPAD, RPAD, REPEAT and REPLACE may produce.
const TEXT_CHARACTERS_MAX: usize = 16 * 1024 * 1024;

/// NULL for a negative length and where there is nothing to pad with.
pub(super) fn pad(call: &Call<'_>, left: bool) -> Result<Value> {
    let (base, fill): (Vec<char>, Vec<char>) = (
        text(call, 0)?.chars().collect(),
        text(call, 2)?.chars().collect(),
    );
    let wanted = integer(call, 1)?;
    if wanted < 0 || fill.is_empty() {
        return Ok(Value::Null);
    }
    let wanted = limited(wanted as usize)?;
    if wanted <= base.len() {
        return Ok(Value::text(base[..wanted].iter().collect::<String>()));
    }
    let padding: String = fill.iter().cycle().take(wanted - base.len()).collect();
    let base: String = base.into_iter().collect();
    Ok(Value::text(if left {
        padding + &base
    } else {
        base + &padding
    }))
}

fn limited(characters: usize) -> Result<usize> {
    if characters > TEXT_CHARACTERS_MAX {
        return Err(crate::semantics::failed(format!(
            "a text of {characters} characters; the limit is {TEXT_CHARACTERS_MAX}"
        )));
    }
    Ok(characters)
}

pub(super) fn repeat(call: &Call<'_>) -> Result<Value> {
    let base = text(call, 0)?;
    let times = integer(call, 1)?.max(0) as usize;
    limited(base.len().saturating_mul(times))?;
    Ok(Value::text(base.repeat(times)))
}

/// An empty search text is found before, between and after all characters.
pub(super) fn replace(call: &Call<'_>) -> Result<Value> {
    let (base, from, to) = (text(call, 0)?, text(call, 1)?, text(call, 2)?);
    limited(
        base.len()
            .saturating_add((base.len() + 1).saturating_mul(to.len())),
    )?;
    Ok(Value::text(base.replace(from, to)))
}

/// The first occurrence of a character in the source list counts; a missing target deletes it.
pub(super) fn translate(call: &Call<'_>) -> Result<Value> {
    let (from, to): (Vec<char>, Vec<char>) = (
        text(call, 1)?.chars().collect(),
        text(call, 2)?.chars().collect(),
    );
    let mapped = text(call, 0)?
        .chars()
        .filter_map(|c| match from.iter().position(|f| *f == c) {
            Some(at) => to.get(at).copied(),
            None => Some(c),
        });
    Ok(Value::text(mapped.collect::<String>()))
}

pub(super) fn overlay_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Text, Int, Int], 1)?;
    let small = |index: usize| matches!(args.get(index).map(Expr::as_literal), Some(Some(Value::Integer(at))) if *at > 0);
    if !small(2) || args.len() > 3 && !small(3) {
        return Err(refuse(
            "OVERLAY at a position that is no positive literal",
            "text-position",
        ));
    }
    let length = args[..2]
        .iter()
        .filter_map(|arg| arg.ty.root.text_length())
        .fold(0_u32, u32::saturating_add);
    as_nullable_as(args, Root::Varchar(length.min(STRING_LENGTH)))
}

pub(super) fn overlay(call: &Call<'_>) -> Result<Value> {
    let base: Vec<char> = text(call, 0)?.chars().collect();
    let with: Vec<char> = text(call, 1)?.chars().collect();
    let from = integer(call, 2)? as usize;
    if from > base.len() {
        return Ok(Value::text(base.into_iter().collect::<String>()));
    }
    let replaced = if call.args.len() > 3 {
        integer(call, 3)? as usize
    } else {
        with.len()
    };
    let rest = base
        .get((from - 1).saturating_add(replaced)..)
        .unwrap_or(&[]);
    Ok(Value::text(
        base[..from - 1]
            .iter()
            .chain(&with)
            .chain(rest)
            .collect::<String>(),
    ))
}

pub(super) fn split_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Text], 0)?;
    as_nullable_as(
        args,
        Root::Array(Box::new(FlinkType::nullable(Root::STRING))),
    )
}

/// The delimiter is literal; no text has no parts; an empty delimiter parts every character.
pub(super) fn split(call: &Call<'_>) -> Result<Value> {
    let (base, delimiter) = (text(call, 0)?, text(call, 1)?);
    if base.is_empty() {
        return Ok(Value::Array([].into()));
    }
    if delimiter.is_empty() {
        return Ok(Value::Array(
            base.chars().map(|c| Value::text(c.to_string())).collect(),
        ));
    }
    Ok(Value::Array(
        base.split(delimiter).map(Value::text).collect(),
    ))
}

pub(super) fn split_index(call: &Call<'_>) -> Result<Value> {
    let (base, delimiter, index) = (text(call, 0)?, text(call, 1)?, integer(call, 2)?);
    if delimiter.is_empty() || index < 0 || base.is_empty() {
        return Ok(Value::Null);
    }
    Ok(base
        .split(delimiter)
        .nth(index as usize)
        .map_or(Value::Null, Value::text))
}
