//! The door: who calls, by the token that they present.
//!
//! Owns the tokens of a data directory. While none was ever made the bridge is open, and everybody who reaches it is
//! `anonymous`; from the first one on it stays closed, and the file `admin.token`, which only the server's own user
//! can read, lets the command line beside it in. Decides nothing about datasets: `model::access` does. Invariant:
//! damage closes the door and never opens it, and no secret is kept, logged or shown but the admin's, in its file.

mod file;
mod gate;
mod held;
mod http;
pub(crate) mod local;
mod routes;
mod secret;

pub(crate) use gate::Gate;
pub(crate) use held::{ADMIN_FILE, TOKENS_MAX, Token};
pub(crate) use http::{HttpDoor, guard};
pub(crate) use routes::Rule;
pub(crate) use secret::Secret;

use crate::damage::{Damage, Object};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use file::Folder;
use flinkspark_model::access::{Caller, GRANTS_MAX, Grant, Principal, unknown_caller};
use flinkspark_model::port::{Clock, Entropy};
use flinkspark_model::{Error, Kind, Result};
use secret::Hash;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

/// The longest `authorization` header that is looked at, in bytes.
const HEADER_BYTES_MAX: usize = 512;

/// Whom the door lets in.
enum Door {
    /// Everybody: no token was ever made.
    Open,
    /// Who has one of these, and the admin.
    Closed { tokens: Vec<Token>, admin: Hash },
    /// The admin alone: the tokens cannot be read.
    Stuck { why: Error, admin: Hash },
}

/// What let a caller in, to be asked again while a call goes on.
#[derive(Clone)]
pub(crate) enum Pass {
    /// The door was open.
    Open,
    /// This token.
    Token(Hash),
}

/// Whoever was let in.
#[derive(Clone)]
pub(crate) struct Entered {
    pub(crate) caller: Caller,
    pub(crate) pass: Pass,
}

/// The tokens of one data directory.
pub(crate) struct Access {
    folder: Folder,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    damage: Damage,
    door: RwLock<Door>,
    /// One change at a time, from reading the door to writing the file.
    changing: Mutex<()>,
}

impl Access {
    /// Reads what a data directory has. Tokens that cannot be read are damage, and the door is closed.
    ///
    /// Errors: `Unavailable` (`FS1107`) where the admin's token cannot be written.
    pub(crate) fn open(
        data_dir: &Path,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        damage: Damage,
    ) -> Result<Self> {
        let folder = Folder::new(data_dir);
        let door = match folder.tokens() {
            Ok(None) if !folder.has_admin() => Door::Open,
            Ok(None) => {
                let why = held::damaged("it is gone, and admin.token is still there".into());
                stuck(&folder, &*entropy, &damage, why)?
            }
            Ok(Some(tokens)) => Door::Closed {
                tokens,
                admin: folder.admin(&*entropy)?,
            },
            Err(why) => stuck(&folder, &*entropy, &damage, why)?,
        };
        Ok(Self {
            folder,
            clock,
            entropy,
            damage,
            door: RwLock::new(door),
            changing: Mutex::default(),
        })
    }

    /// Whether everybody is let in.
    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.door(), Door::Open)
    }

    /// Lets in who presents this `authorization` header.
    ///
    /// Errors: `Unauthorized`, `FS1102` for what is no token of this bridge and `FS1104` for one that has expired.
    pub(crate) fn enter(&self, header: Option<&[u8]>) -> Result<Entered> {
        if self.is_open() {
            return Ok(Entered {
                caller: Caller::open(),
                pass: Pass::Open,
            });
        }
        let header = header.ok_or_else(|| unknown_caller("the call has no token"))?;
        let (user, hash) = presented(header)?;
        let caller = self.holder(&hash)?;
        if user.is_some_and(|user| user != caller.principal().as_str()) {
            return Err(unknown_caller("the token does not belong to that user"));
        }
        Ok(Entered {
            caller,
            pass: Pass::Token(hash),
        })
    }

    /// Whether what let a caller in still would.
    pub(crate) fn again(&self, pass: &Pass) -> Result<()> {
        match pass {
            Pass::Open if self.is_open() => Ok(()),
            Pass::Open => Err(unknown_caller("tokens were made since the call began")),
            Pass::Token(hash) => self.holder(hash).map(|_| ()),
        }
    }

    /// Who holds the token with this hash. Every one is compared, whichever it is.
    fn holder(&self, hash: &Hash) -> Result<Caller> {
        let door = self.door();
        let (tokens, admin): (&[Token], &Hash) = match &*door {
            Door::Open => return Ok(Caller::open()),
            Door::Closed { tokens, admin } => (tokens, admin),
            Door::Stuck { admin, .. } => (&[], admin),
        };
        let mut found = None;
        for token in tokens {
            if token.hash.is(hash) {
                found = Some(token);
            }
        }
        if admin.is(hash) {
            return Ok(Caller::granted(Principal::admin(), [Grant::everything()]));
        }
        let token = found.ok_or_else(|| unknown_caller("the token is none of this bridge's"))?;
        match token.expires_at_ms {
            Some(at_ms) if self.clock.now_ms() >= at_ms => Err(expired(token, at_ms)),
            _ => Ok(Caller::granted(
                token.principal.clone(),
                Arc::clone(&token.grants),
            )),
        }
    }

    /// Makes a token, durably, and closes the door if it was open. The file is written on this thread.
    ///
    /// Errors: `Invalid` (`FS1101`, `FS1108`) for what no token can have, `Unavailable` (`FS1107`).
    pub(crate) fn create(
        &self,
        principal: Principal,
        grants: Vec<Grant>,
        life_ms: Option<u64>,
    ) -> Result<(Secret, Token)> {
        check(&principal, &grants, life_ms)?;
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = self.tokens();
        if tokens.len() >= TOKENS_MAX {
            return Err(refused(
                "there are too many tokens",
                &format!("the limit is {TOKENS_MAX}"),
            )
            .with_hint("take some away with `flinkspark token revoke`"));
        }
        let secret = Secret::new(&*self.entropy);
        let now_ms = self.clock.now_ms();
        let token = Token::new(&secret, principal, grants, now_ms, life_ms);
        tokens.push(token.clone());
        self.put(tokens)?;
        Ok((secret, token))
    }

    /// Every token, in the order in which they were made.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        match &*self.door() {
            Door::Closed { tokens, .. } => tokens.clone(),
            Door::Open | Door::Stuck { .. } => Vec::new(),
        }
    }

    /// Takes away the token of this id, or all of this principal, durably. The file is written on this thread.
    ///
    /// Errors: `NotFound` (`FS1109`) where there is none, `Unavailable` (`FS1107`), the damage of the file.
    pub(crate) fn revoke(&self, reference: &str) -> Result<Vec<Token>> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Door::Stuck { why, .. } = &*self.door() {
            return Err(why.clone());
        }
        let meant = |token: &Token| token.id == reference || token.principal.as_str() == reference;
        let (gone, left): (Vec<_>, Vec<_>) = self.tokens().into_iter().partition(meant);
        if gone.is_empty() {
            return Err(
                Error::new(Kind::NotFound, "FS1109", "there is no such token")
                    .with_detail(format!(
                        "none has the id or the principal \"{}\"",
                        reference.escape_debug()
                    ))
                    .with_hint("`flinkspark token list` prints them"),
            );
        }
        self.put(left)?;
        Ok(gone)
    }

    /// Writes the tokens, then lets in by them. A file that was damaged is set aside first.
    fn put(&self, tokens: Vec<Token>) -> Result<()> {
        let admin = self.folder.admin(&*self.entropy)?;
        if matches!(*self.door(), Door::Stuck { .. }) {
            self.folder.set_aside()?;
        }
        self.folder.write(&tokens)?;
        let mut door = self.door.write().unwrap_or_else(PoisonError::into_inner);
        *door = Door::Closed { tokens, admin };
        drop(door);
        self.damage.clear(&Object::Tokens);
        Ok(())
    }

    fn door(&self) -> RwLockReadGuard<'_, Door> {
        self.door.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stuck(folder: &Folder, entropy: &dyn Entropy, damage: &Damage, why: Error) -> Result<Door> {
    damage.note(Object::Tokens, &why);
    let admin = folder.admin(entropy)?;
    Ok(Door::Stuck { why, admin })
}

/// The user, where one is said, and the hash of the token that a header presents.
fn presented(header: &[u8]) -> Result<(Option<String>, Hash)> {
    let text = std::str::from_utf8(header).ok();
    let text = text.filter(|text| text.len() <= HEADER_BYTES_MAX);
    let (scheme, value) = text
        .and_then(|text| text.split_once(' '))
        .unwrap_or_default();
    let value = value.trim();
    let secret = |text: &str| {
        Secret::parse(text).ok_or_else(|| unknown_caller("what was presented is not a token"))
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok((None, secret(value)?.hash()));
    }
    let basic = scheme
        .eq_ignore_ascii_case("basic")
        .then(|| STANDARD.decode(value).ok());
    let pair = basic
        .flatten()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((user, password)) => Ok((Some(user.into()), secret(password)?.hash())),
        None => Err(unknown_caller(
            "the authorization is neither Bearer nor Basic",
        )),
    }
}

fn check(principal: &Principal, grants: &[Grant], life_ms: Option<u64>) -> Result<()> {
    if principal.is_reserved() {
        return Err(refused(
            "the name is the bridge's own",
            &format!("no token can be made for {principal}"),
        )
        .with_hint("name whoever holds the token"));
    }
    if grants.is_empty() || grants.len() > GRANTS_MAX {
        return Err(refused(
            "a token has 1 to 64 grants",
            &format!("{} were given", grants.len()),
        )
        .with_hint("add --grant PREFIX:VERBS, such as --grant web:read"));
    }
    match life_ms {
        Some(0) => Err(refused(
            "a token that has expired is of no use",
            "it would last 0 ms",
        )
        .with_hint("give a longer --expires, such as 90d")),
        _ => Ok(()),
    }
}

fn refused(what: &str, why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS1108",
        format!("the token cannot be made: {what}"),
    )
    .with_detail(why)
}

fn expired(token: &Token, at_ms: u64) -> Error {
    Error::new(Kind::Unauthorized, "FS1104", "the token has expired")
        .with_detail(format!(
            "token {} of {} ended at {at_ms} ms",
            token.id, token.principal
        ))
        .with_hint("ask an admin for another: `flinkspark token create` makes one")
}

#[cfg(test)]
mod tests;
