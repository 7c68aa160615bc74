//! What belongs to an app: its logo, who makes it, who was invited to register one, and when it was used.

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, SmallInt, Text};

use crate::store::access::SecretHash;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// What an account has to do with an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Makes it, and says who else does.
    Owner = 1,
    /// May use it while it is in the sandbox.
    Tester = 2,
}

/// A part that an account was asked to take is kept as its number and this.
const ASKED: i16 = 2;

fn known_part(number: i16) -> Result<Part, StoreError> {
    let known = [Part::Owner, Part::Tester].into_iter().find(|known| *known as i16 == number);
    known.ok_or_else(|| StoreError::Damaged(format!("the part {number} of an account in a client")))
}

/// A logo as it is given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub media: String,
    pub bytes: Vec<u8>,
}

impl Reader<'_> {
    /// The logo of a client.
    pub fn client_logo(&mut self, client: &str) -> Result<Option<Logo>, StoreError> {
        let values = [Value::Text(client)];
        let select = fixed!((Text, Binary), "SELECT media, bytes FROM client_logo WHERE client = ?", &values);
        let found: Vec<(String, Vec<u8>)> = on!(self.link, connection => select.load(*connection))?;
        Ok(found.into_iter().next().map(|(media, bytes)| Logo { media, bytes }))
    }

    /// The accounts that have a part in a client, by their numbers. Who was asked and has not said yes has none.
    pub fn client_members(&mut self, client: &str) -> Result<Vec<(i64, Part)>, StoreError> {
        let values = [Value::Text(client)];
        let select = fixed!(
            (BigInt, SmallInt),
            "SELECT account, part FROM client_member WHERE client = ? AND part IN (1, 2) ORDER BY account",
            &values,
        );
        let found: Vec<(i64, i16)> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(|(account, part)| Ok((account, known_part(part)?))).collect()
    }

    /// The clients in which an account was asked to take a part, and has not said yes, by their ids.
    pub fn asked_parts(&mut self, account: i64) -> Result<Vec<(String, Part)>, StoreError> {
        let values = [Value::Integer(account)];
        let select = fixed!(
            (Text, SmallInt),
            "SELECT client, part FROM client_member WHERE account = ? AND part IN (3, 4) ORDER BY client",
            &values,
        );
        let found: Vec<(String, i16)> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().map(|(client, part)| Ok((client, known_part(part - ASKED)?))).collect()
    }

    /// When a client last got a token by each of these grants; those by which it never did are not there.
    pub fn grant_uses(&mut self, client: &str) -> Result<Vec<(i64, i64)>, StoreError> {
        let values = [Value::Text(client)];
        let select = fixed!(
            (BigInt, BigInt),
            "SELECT access_grant, used_us FROM grant_use WHERE access_grant IN (SELECT id FROM access_grant WHERE \
             to_client = ?)",
            &values,
        );
        Ok(on!(self.link, connection => select.load(*connection))?)
    }
}

impl Tx<'_> {
    /// Keeps the logo of a client, or none any more.
    pub fn set_client_logo(&mut self, client: &str, logo: Option<&Logo>) -> Result<(), StoreError> {
        self.bump()?;
        let values = [Value::Text(client)];
        let delete = fixed!((), "DELETE FROM client_logo WHERE client = ?", &values);
        on!(self.reader.link, connection => delete.execute(*connection))?;
        if let Some(logo) = logo {
            let values = [Value::Text(client), Value::Text(&logo.media), Value::Bytes(Some(&logo.bytes))];
            let insert = fixed!((), "INSERT INTO client_logo (client, media, bytes) VALUES (?, ?, ?)", &values);
            on!(self.reader.link, connection => insert.execute(*connection))?;
        }
        Ok(())
    }

    /// Gives an account a part in a client, in place of the one that it has, or was asked to take.
    pub fn set_client_member(&mut self, client: &str, account: i64, part: Part) -> Result<(), StoreError> {
        self.put_client_member(client, account, part as i16)
    }

    /// Asks an account to take a part in a client. One that has a part loses it by that.
    pub fn ask_client_member(&mut self, client: &str, account: i64, part: Part) -> Result<(), StoreError> {
        self.put_client_member(client, account, part as i16 + ASKED)
    }

    fn put_client_member(&mut self, client: &str, account: i64, part: i16) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Text(client), Value::Integer(account), Value::Integer(part.into())];
        let insert = fixed!(
            (),
            "INSERT INTO client_member (client, account, part) VALUES (?, ?, ?) ON CONFLICT (client, account) DO UPDATE SET \
             part = excluded.part",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Takes its part in a client from an account, or the question whether it wants one; false when there is none.
    pub fn remove_client_member(&mut self, client: &str, account: i64) -> Result<bool, StoreError> {
        let values = [Value::Text(client), Value::Integer(account)];
        let delete = fixed!((), "DELETE FROM client_member WHERE client = ? AND account = ?", &values);
        let removed = on!(self.reader.link, connection => delete.execute(*connection))?;
        // In the sandbox it takes the use of the client along.
        self.bump_if(removed)
    }

    /// Notes a token by which a client may register itself once, until `expires_us`. Takes the occasion to forget those that
    /// are over.
    pub fn add_invite(&mut self, hash: &SecretHash, expires_us: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us)];
        let forget = fixed!((), "DELETE FROM client_invite WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [Value::Bytes(Some(hash.as_bytes())), Value::Integer(self.now_us), Value::Integer(expires_us)];
        let insert = fixed!((), "INSERT INTO client_invite (hash, created_us, expires_us) VALUES (?, ?, ?)", &values);
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }

    /// Uses up an invitation for a client; false when it is over, was used before, or there is none.
    pub fn use_invite(&mut self, hash: &SecretHash, client: &str) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Text(client), Value::Bytes(Some(hash.as_bytes())), Value::Integer(self.now_us)];
        let update = fixed!(
            (),
            "UPDATE client_invite SET client = ? WHERE hash = ? AND client IS NULL AND expires_us > ?",
            &values,
        );
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Revokes all tokens of a client, and tells how many those were.
    pub fn revoke_tokens_of_client(&mut self, client: &str) -> Result<usize, StoreError> {
        let values = [Value::Integer(self.now_us), Value::Text(client)];
        let update =
            fixed!((), "UPDATE access_token SET revoked_us = ? WHERE client = ? AND revoked_us IS NULL", &values);
        let changed = on!(self.reader.link, connection => update.execute(*connection))?;
        self.bump_if(changed)?;
        Ok(changed)
    }

    /// Notes that a client got a token by a grant.
    pub(super) fn note_grant_use(&mut self, grant: i64) -> Result<(), StoreError> {
        let values = [Value::Integer(grant), Value::Integer(self.now_us)];
        let insert = fixed!(
            (),
            "INSERT INTO grant_use (access_grant, used_us) VALUES (?, ?) ON CONFLICT (access_grant) DO UPDATE SET used_us = \
             excluded.used_us",
            &values,
        );
        on!(self.reader.link, connection => insert.execute(*connection))?;
        Ok(())
    }
}
