//! Functions on text.
//!
//! Characters are code points, as in Flink's binary strings. Invariant: results are never longer
//! than the declared type says, except where Flink declares STRING.

mod edit;

use super::signature::{
    Want, always_nullable, as_nullable_as, mismatch, no_folded_unicode, varchar_of, want,
};
use super::{Call, Function};
use crate::semantics::expr::Expr;
use crate::semantics::types::{FlinkType, Root, STRING_LENGTH};
use crate::semantics::value::Value;
use crate::semantics::{broken, invalid, refuse};
use Want::{Int, Text};
use edit::{
    overlay, overlay_bind, pad, repeat, replace, split, split_bind, split_index, translate,
};
use flinkspark_model::Result;

/// The text functions.
pub static FUNCTIONS: &[Function] = &[
    Function::strict("UPPER", same_text, |call| {
        text1(call, |text| text.to_uppercase())
    }),
    Function::strict("LOWER", same_text, |call| {
        text1(call, |text| text.to_lowercase())
    }),
    Function::strict("INITCAP", same_text, |call| text1(call, initcap)),
    Function::strict("CHAR_LENGTH", length_of, length),
    Function::strict("CHARACTER_LENGTH", length_of, length),
    Function::strict("SUBSTRING", substring_bind, substring),
    Function::strict("SUBSTR", substring_bind, substring),
    Function::strict("LEFT", side_bind, |call| side(call, true)),
    Function::strict("RIGHT", side_bind, |call| side(call, false)),
    Function::strict("TRIM", trim_bind, |call| trim(call, true, true)),
    Function::strict("LTRIM", trim_bind, |call| trim(call, true, false)),
    Function::strict("RTRIM", trim_bind, |call| trim(call, false, true)),
    Function::strict(
        "BTRIM",
        |args| string_of(args, &[Text, Text], 1),
        |call| trim(call, true, true),
    ),
    Function::strict(
        "LPAD",
        |args| string_of(args, &[Text, Int, Text], 0),
        |call| pad(call, true),
    ),
    Function::strict(
        "RPAD",
        |args| string_of(args, &[Text, Int, Text], 0),
        |call| pad(call, false),
    ),
    Function::strict("REPEAT", |args| string_of(args, &[Text, Int], 0), repeat),
    Function::strict(
        "REVERSE",
        |args| always_nullable(want(args, &[Text], 0)?, Root::STRING),
        |call| text1(call, |text| text.chars().rev().collect()),
    ),
    Function::strict(
        "REPLACE",
        |args| string_of(args, &[Text, Text, Text], 0),
        replace,
    ),
    Function::strict(
        "TRANSLATE",
        |args| string_of(args, &[Text, Text, Text], 0),
        translate,
    ),
    Function::strict(
        "POSITION",
        |args| int_of(args, &[Text, Text], 0),
        |call| locate(call, 1, 0),
    ),
    Function::strict(
        "LOCATE",
        |args| int_of(args, &[Text, Text, Int], 1),
        |call| locate(call, 1, 0),
    ),
    Function::strict(
        "INSTR",
        |args| int_of(args, &[Text, Text], 0),
        |call| locate(call, 0, 1),
    ),
    Function::strict("||", concat_operator, concat),
    Function::strict("CONCAT", concat_bind, concat),
    Function::lenient("CONCAT_WS", concat_ws_bind, concat_ws),
    Function::strict("OVERLAY", overlay_bind, overlay),
    Function::strict("ASCII", ascii_bind, |call| {
        Ok(Value::Integer(i64::from(
            text(call, 0)?.bytes().next().unwrap_or(0),
        )))
    }),
    Function::strict("CHR", chr_bind, chr),
    Function::strict("STARTSWITH", truth_of, |call| {
        Ok(Value::Boolean(text(call, 0)?.starts_with(text(call, 1)?)))
    }),
    Function::strict("ENDSWITH", truth_of, |call| {
        Ok(Value::Boolean(text(call, 0)?.ends_with(text(call, 1)?)))
    }),
    Function::strict("SPLIT", split_bind, split),
    Function::strict(
        "SPLIT_INDEX",
        |args| always_nullable(want(args, &[Text, Text, Int], 0)?, Root::STRING),
        split_index,
    ),
];

/// The text of an argument.
pub(super) fn text<'a>(call: &'a Call<'_>, index: usize) -> Result<&'a str> {
    match call.args.get(index) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(broken(format!("argument {index} is no text"))),
    }
}

/// The integer of an argument.
pub(super) fn integer(call: &Call<'_>, index: usize) -> Result<i64> {
    match call.args.get(index) {
        Some(Value::Integer(value)) => Ok(*value),
        _ => Err(broken(format!("argument {index} is no integer"))),
    }
}

fn text1(call: &Call<'_>, f: impl Fn(&str) -> String) -> Result<Value> {
    Ok(Value::text(f(text(call, 0)?)))
}

fn same_text(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text], 0)?;
    no_folded_unicode(&args, "a change of case")?;
    let ty = args[0].ty.clone();
    Ok((args, ty))
}

fn string_of(args: Vec<Expr>, kinds: &[Want], optional: usize) -> Result<(Vec<Expr>, FlinkType)> {
    as_nullable_as(want(args, kinds, optional)?, Root::STRING)
}

fn int_of(args: Vec<Expr>, kinds: &[Want], optional: usize) -> Result<(Vec<Expr>, FlinkType)> {
    as_nullable_as(want(args, kinds, optional)?, Root::Int)
}

fn truth_of(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    as_nullable_as(want(args, &[Text, Text], 0)?, Root::Boolean)
}

fn length_of(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    int_of(args, &[Text], 0)
}

fn length(call: &Call<'_>) -> Result<Value> {
    Ok(Value::Integer(text(call, 0)?.chars().count() as i64))
}

/// Flink capitalises after anything but an ASCII letter or digit and knows no other letters.
fn initcap(text: &str) -> String {
    let mut inside = false;
    let capitalise = |c: char| {
        let changed = if inside {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        };
        inside = c.is_ascii_alphanumeric();
        changed
    };
    text.chars().map(capitalise).collect()
}

fn substring_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Int, Int], 1)?;
    let root = varchar_of(args.first());
    always_nullable(args, root)
}

/// A start of 0 is 1, a negative one counts from the end, beyond either end nothing is left.
fn substring(call: &Call<'_>) -> Result<Value> {
    let characters: Vec<char> = text(call, 0)?.chars().collect();
    let count = characters.len() as i64;
    let start = integer(call, 1)?;
    let wanted = if call.args.len() > 2 {
        integer(call, 2)?
    } else {
        i64::from(i32::MAX)
    };
    if wanted < 0 {
        return Ok(Value::Null);
    }
    let from = if start > 0 {
        start - 1
    } else if start == 0 {
        0
    } else {
        count + start
    };
    if from < 0 || from >= count {
        return Ok(Value::text(""));
    }
    let until = from.saturating_add(wanted).min(count);
    Ok(Value::text(
        characters[from as usize..until as usize]
            .iter()
            .collect::<String>(),
    ))
}

fn side_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Int], 0)?;
    let root = varchar_of(args.first());
    always_nullable(args, root)
}

fn side(call: &Call<'_>, left: bool) -> Result<Value> {
    let characters: Vec<char> = text(call, 0)?.chars().collect();
    let wanted = integer(call, 1)?.clamp(0, characters.len() as i64) as usize;
    let kept = if left {
        &characters[..wanted]
    } else {
        &characters[characters.len() - wanted..]
    };
    Ok(Value::text(kept.iter().collect::<String>()))
}

fn trim_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Text], 1)?;
    let root = varchar_of(args.first());
    as_nullable_as(args, root)
}

/// Strips the characters of the second argument, a blank where there is none.
fn trim(call: &Call<'_>, front: bool, back: bool) -> Result<Value> {
    let set = if call.args.len() > 1 {
        text(call, 1)?
    } else {
        " "
    };
    let mut kept = text(call, 0)?;
    if front {
        kept = kept.trim_start_matches(|c| set.contains(c));
    }
    if back {
        kept = kept.trim_end_matches(|c| set.contains(c));
    }
    Ok(Value::text(kept))
}

/// The 1-based position of the needle, 0 where it is missing; an empty needle is at 1.
fn locate(call: &Call<'_>, haystack: usize, needle: usize) -> Result<Value> {
    let (haystack, needle) = (text(call, haystack)?, text(call, needle)?);
    if needle.is_empty() {
        return Ok(Value::Integer(1));
    }
    let from = if call.args.len() > 2 {
        (integer(call, 2)? - 1).max(0) as usize
    } else {
        0
    };
    let Some(at) = haystack.char_indices().map(|(at, _)| at).nth(from) else {
        return Ok(Value::Integer(0));
    };
    let found = haystack[at..]
        .find(needle)
        .map(|offset| haystack[..at + offset].chars().count() + 1);
    Ok(Value::Integer(found.unwrap_or(0) as i64))
}

/// `||`: CHAR with CHAR is CHAR, anything else VARCHAR, of the summed length.
fn concat_operator(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text, Text], 0)?;
    let length = args
        .iter()
        .filter_map(|arg| arg.ty.root.text_length())
        .fold(0_u32, u32::saturating_add);
    let length = length.min(STRING_LENGTH);
    let fixed = args.iter().all(|arg| matches!(arg.ty.root, Root::Char(_)));
    as_nullable_as(
        args,
        if fixed {
            Root::Char(length)
        } else {
            Root::Varchar(length)
        },
    )
}

fn all_text(args: &[Expr]) -> Result<()> {
    args.iter()
        .find(|arg| !arg.ty.root.is_text())
        .map_or(Ok(()), |arg| Err(mismatch(arg)))
}

fn concat_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    all_text(&args)?;
    if args.is_empty() {
        return Err(invalid("CONCAT takes at least one argument"));
    }
    as_nullable_as(args, Root::STRING)
}

fn concat(call: &Call<'_>) -> Result<Value> {
    let parts: Result<Vec<&str>> = (0..call.args.len())
        .map(|index| text(call, index))
        .collect();
    Ok(Value::text(parts?.concat()))
}

fn concat_ws_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    all_text(&args)?;
    if args.len() < 2 {
        return Err(invalid(
            "CONCAT_WS takes a separator and at least one argument",
        ));
    }
    as_nullable_as(args, Root::STRING)
}

/// Skips NULLs; a NULL separator makes the result NULL.
fn concat_ws(call: &Call<'_>) -> Result<Value> {
    if call.args[0].is_null() {
        return Ok(Value::Null);
    }
    let present = (1..call.args.len()).filter(|index| !call.args[*index].is_null());
    let parts: Result<Vec<&str>> = present.map(|index| text(call, index)).collect();
    Ok(Value::text(parts?.join(text(call, 0)?)))
}

fn ascii_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Text], 0)?;
    if !matches!(args[0].as_literal(), Some(Value::Text(text)) if text.is_ascii()) {
        return Err(refuse(
            "ASCII of what may hold more than ASCII",
            "byte-characters",
        ));
    }
    as_nullable_as(args, Root::Int)
}

fn chr_bind(args: Vec<Expr>) -> Result<(Vec<Expr>, FlinkType)> {
    let args = want(args, &[Int], 0)?;
    always_nullable(args, Root::STRING)
}

/// The low eight bits as a Latin-1 character; nothing for a negative number.
fn chr(call: &Call<'_>) -> Result<Value> {
    let code = integer(call, 0)?;
    Ok(Value::text(if code < 0 {
        String::new()
    } else {
        char::from(code as u8).to_string()
    }))
}
