//! What happened with an account, from where its owner has signed in, and the link by which the first operator is made.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text};

use crate::store::access::{Role, SecretHash};
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// So many refused attempts are kept of an account, and as many of what else happened.
const KEPT: i64 = 100;
/// From where somebody has not signed in for so long is forgotten.
const PLACE_US: i64 = 180 * 86_400_000_000;
/// The setting that holds the hash of the set-up link.
const SET_UP: &str = "set up link";

/// What can happen with an account. The numbers are on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    SignedIn = 1,
    SignedInOnNewDevice = 2,
    SignInRefused = 3,
    SecondFactorRefused = 4,
    PasswordChanged = 5,
    PasskeyAdded = 6,
    PasskeyRemoved = 7,
    AuthenticatorOn = 8,
    AuthenticatorOff = 9,
    RecoveryCodesMade = 10,
    RecoveryCodeUsed = 11,
    SessionEnded = 12,
    OthersEnded = 13,
    PasswordSetByOperator = 14,
    AccountMade = 15,
    ProviderLinked = 16,
    ProviderUnlinked = 17,
}

impl Happening {
    /// All there are.
    const ALL: [Happening; 17] = [
        Happening::SignedIn,
        Happening::SignedInOnNewDevice,
        Happening::SignInRefused,
        Happening::SecondFactorRefused,
        Happening::PasswordChanged,
        Happening::PasskeyAdded,
        Happening::PasskeyRemoved,
        Happening::AuthenticatorOn,
        Happening::AuthenticatorOff,
        Happening::RecoveryCodesMade,
        Happening::RecoveryCodeUsed,
        Happening::SessionEnded,
        Happening::OthersEnded,
        Happening::PasswordSetByOperator,
        Happening::AccountMade,
        Happening::ProviderLinked,
        Happening::ProviderUnlinked,
    ];

    /// Whether it is an attempt that was refused.
    pub fn is_refusal(self) -> bool {
        matches!(self, Happening::SignInRefused | Happening::SecondFactorRefused)
    }
}

/// Something that is to be told to the owner of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHappening {
    /// `None` when there is no such account.
    pub account: Option<i64>,
    pub what: Happening,
    /// Such as the name of a passkey.
    pub detail: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub agent: Option<String>,
}

/// Something that happened with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub at_us: i64,
    pub what: Happening,
    /// Such as the name of a passkey.
    pub detail: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The browser, as it calls itself.
    pub agent: Option<String>,
}

type HappenedSql = (BigInt, SmallInt, Nullable<Text>, Nullable<Text>, Nullable<Text>);
type HappenedTuple = (i64, i16, Option<String>, Option<String>, Option<String>);

fn happened((at_us, what, detail, address, agent): HappenedTuple) -> Result<Happened, StoreError> {
    let what = Happening::ALL.into_iter().find(|known| *known as i16 == what);
    let what = what.ok_or_else(|| StoreError::Damaged("what happened with an account".to_owned()))?;
    Ok(Happened { at_us, what, detail, address, agent })
}

impl Reader<'_> {
    /// What happened last with an account, newest first: attempts that were refused, or all else.
    pub fn happenings(&mut self, account: i64, refused: bool, most: i64) -> Result<Vec<Happened>, StoreError> {
        let values = [Value::Integer(account), Value::Integer(refused.into()), Value::Integer(most)];
        let select = fixed!(
            HappenedSql,
            "SELECT at_us, what, detail, address, agent FROM account_event WHERE account = ? AND is_refusal = ? \
             ORDER BY id DESC LIMIT ?",
            &values,
        );
        let found: Vec<HappenedTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(happened).collect()
    }

    /// Whether the owner of an account has signed in where `mark` stands for; of no account, never.
    pub fn knows_place(&mut self, account: Option<i64>, mark: i64) -> Result<bool, StoreError> {
        let values = [Value::Integer(account.unwrap_or(0)), Value::Integer(mark)];
        let select = fixed!(BigInt, "SELECT COUNT(*) FROM account_place WHERE account = ? AND mark = ?", &values);
        let found: i64 = on!(self.link, connection => select.get_result(*connection))?;
        Ok(found > 0)
    }

    /// Whether there is any account.
    pub fn has_accounts(&mut self) -> Result<bool, StoreError> {
        let select = fixed!(BigInt, "SELECT COUNT(*) FROM (SELECT 1 FROM account LIMIT 1) AS first", &[]);
        let found: i64 = on!(self.link, connection => select.get_result(*connection))?;
        Ok(found > 0)
    }

    /// Whether there is anybody who runs the server.
    pub fn has_operator(&mut self) -> Result<bool, StoreError> {
        let values = [Value::Integer(Role::Operator as i64)];
        let select = fixed!(BigInt, "SELECT COUNT(*) FROM account WHERE role = ?", &values);
        let found: i64 = on!(self.link, connection => select.get_result(*connection))?;
        Ok(found > 0)
    }

    /// What is kept of the link by which the first operator is made, if one is out.
    pub fn set_up_link(&mut self) -> Result<Option<SecretHash>, StoreError> {
        let values = [Value::Text(SET_UP)];
        let select = fixed!(Binary, "SELECT value FROM setting WHERE name = ?", &values);
        let found: Vec<Vec<u8>> = on!(self.link, connection => select.load(*connection))?;
        found.first().map(|hash| SecretHash::from_column(hash)).transpose()
    }
}

impl Tx<'_> {
    /// Tells the owner of an account what happened. Of each kind the last hundred are kept.
    pub fn add_happening(&mut self, new: &NewHappening) -> Result<(), StoreError> {
        self.has_written = true;
        let account = new.account.unwrap_or(0);
        let is_refusal = i64::from(new.what.is_refusal());
        let values = [
            Value::Integer(account),
            Value::Integer(is_refusal),
            Value::Integer(self.now_us),
            Value::Integer(new.what as i64),
            Value::AnyText(new.detail.as_deref()),
            Value::AnyText(new.address.as_deref()),
            Value::AnyText(new.agent.as_deref()),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO account_event (account, is_refusal, at_us, what, detail, address, agent) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        let values = [
            Value::Integer(account),
            Value::Integer(is_refusal),
            Value::Integer(account),
            Value::Integer(is_refusal),
            Value::Integer(KEPT),
        ];
        let delete = fixed!(
            (),
            "DELETE FROM account_event WHERE account = ? AND is_refusal = ? AND id <= \
             (SELECT id FROM account_event WHERE account = ? AND is_refusal = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
            &values,
        );
        on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(())
    }

    /// Notes that the owner of an account signed in where `mark` stands for.
    pub fn note_place(&mut self, account: i64, mark: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(account), Value::Integer(self.now_us - PLACE_US)];
        let delete = fixed!((), "DELETE FROM account_place WHERE account = ? AND seen_us < ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        let values = [Value::Integer(account), Value::Integer(mark), Value::Integer(self.now_us)];
        let insert = fixed!(
            (),
            "INSERT INTO account_place (account, mark, seen_us) VALUES (?, ?, ?) \
             ON CONFLICT (account, mark) DO UPDATE SET seen_us = excluded.seen_us",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Keeps what is kept of a link by which the first operator is made; one that was out counts no more.
    pub fn offer_set_up(&mut self, link: &SecretHash) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Text(SET_UP), Value::Bytes(Some(link.as_bytes()))];
        let insert = fixed!(
            (),
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Lets no link make an operator any more.
    pub fn end_set_up(&mut self) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Text(SET_UP)];
        let delete = fixed!((), "DELETE FROM setting WHERE name = ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        Ok(())
    }
}
