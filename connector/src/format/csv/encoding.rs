//! The encodings of text files: their names, their byte order marks, and which characters they have.
//!
//! Invariant: what [`Encoding::encode`] writes is decoded to the same text.

use flinkspark_model::{Error, Kind, Result};
use std::str::FromStr;

/// How the characters of a file are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, the low byte first; written with a byte order mark.
    Utf16Le,
    /// UTF-16, the high byte first; written with a byte order mark.
    Utf16Be,
    /// ISO 8859-1: a byte is the character of its number.
    Latin1,
    /// Latin 1 with letters and quotes of Western Europe from 0x80 to 0x9F, as Windows calls "ANSI".
    Windows1252,
}

/// What stands for a character without one in a table.
const NONE: char = '\u{fffd}';

/// What Windows 1252 has from 0x80 on.
const WINDOWS_1252: [char; 32] = [
    '€', NONE, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', NONE, 'Ž', NONE, NONE, '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', NONE, 'ž', 'Ÿ',
];

impl Encoding {
    /// Its name, as options have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Latin1 => "latin1",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Its name in messages.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
            Self::Latin1 => "latin1",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// The encoding whose byte order mark the bytes begin with, and how many bytes that is.
    pub(super) fn marked(bytes: &[u8]) -> Option<(Self, usize)> {
        match bytes {
            [0xef, 0xbb, 0xbf, ..] => Some((Self::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Self::Utf16Le, 2)),
            [0xfe, 0xff, ..] => Some((Self::Utf16Be, 2)),
            _ => None,
        }
    }

    /// Whether the text's first bytes would be taken for a byte order mark.
    pub(super) fn looks_marked(self, text: &str) -> bool {
        match self {
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => text.starts_with('\u{feff}'),
            Self::Latin1 | Self::Windows1252 => ["ï»¿", "ÿþ", "þÿ"]
                .into_iter()
                .any(|mark| text.starts_with(mark)),
        }
    }

    /// The character that a byte is; `None` where it is none, or not a whole one.
    pub(super) fn character(self, byte: u8) -> Option<char> {
        match self {
            Self::Latin1 => Some(char::from(byte)),
            Self::Windows1252 if (0x80..0xa0).contains(&byte) => {
                let character = WINDOWS_1252.get(usize::from(byte & 0x1f)).copied();
                character.filter(|character| *character != NONE)
            }
            Self::Windows1252 => Some(char::from(byte)),
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => None,
        }
    }

    /// The byte that a character is; `None` where there is none.
    fn byte(self, character: char) -> Option<u8> {
        let same = || u8::try_from(u32::from(character)).ok();
        match self {
            Self::Latin1 => same(),
            Self::Windows1252 => {
                let place = (0x80..0xa0).find(|byte| self.character(*byte) == Some(character));
                place.or_else(|| same().filter(|byte| !(0x80..0xa0).contains(byte)))
            }
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => None,
        }
    }

    /// The first character of a text that the encoding does not have.
    pub(super) fn lacks(self, text: &str) -> Option<char> {
        match self {
            Self::Utf8 | Self::Utf16Le | Self::Utf16Be => None,
            Self::Latin1 | Self::Windows1252 => text
                .chars()
                .find(|character| !character.is_ascii() && self.byte(*character).is_none()),
        }
    }

    /// What files begin with that we write.
    pub(super) fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf16Le => &[0xff, 0xfe],
            Self::Utf16Be => &[0xfe, 0xff],
            Self::Utf8 | Self::Latin1 | Self::Windows1252 => &[],
        }
    }

    /// Appends the bytes of a text in which the encoding lacks nothing.
    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Latin1 | Self::Windows1252 => {
                out.extend(text.chars().filter_map(|character| self.byte(character)));
            }
        }
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "utf-16le" | "utf16le" => Ok(Self::Utf16Le),
            "utf-16be" | "utf16be" => Ok(Self::Utf16Be),
            "latin1" | "latin-1" | "iso-8859-1" => Ok(Self::Latin1),
            "windows-1252" | "cp1252" => Ok(Self::Windows1252),
            _ => {
                let message = format!("\"{}\" is no encoding that is known", name.escape_debug());
                Err(Error::new(Kind::Invalid, "FS0309", message)
                    .with_detail("known are utf-8, utf-16le, utf-16be, latin1 and windows-1252")
                    .with_hint("UTF-16 with a byte order mark needs no name; convert other files with iconv"))
            }
        }
    }
}
