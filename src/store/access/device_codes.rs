//! Codes of devices that wait for somebody to let them in.
//!
//! Spec: RFC 8628

use diesel::RunQueryDsl;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use crate::store::access::SecretHash;
use crate::store::reader::{Reader, on};
use crate::store::statement::{Value, fixed};
use crate::store::{StoreError, Tx};

/// A code is kept so long after it expired, so that the device is told what became of it.
const KEPT_US: i64 = 3_600_000_000;

/// A device that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// Of the code that the device has.
    pub hash: SecretHash,
    /// What it shows people, without the hyphen.
    pub user_code: String,
    pub client: String,
    pub scopes: String,
    /// First moment when it counts no more.
    pub expires_us: i64,
    /// It may ask again after so many seconds.
    pub interval_s: i64,
    pub polled_us: Option<i64>,
    /// How often somebody typed the code.
    pub tries: i64,
    /// Of the authorization code by which somebody let it in.
    pub code: Option<SecretHash>,
    pub denied_us: Option<i64>,
}

type DeviceSql =
    (Binary, Text, Text, Text, BigInt, BigInt, Nullable<BigInt>, BigInt, Nullable<Binary>, Nullable<BigInt>);
type DeviceTuple = (Vec<u8>, String, String, String, i64, i64, Option<i64>, i64, Option<Vec<u8>>, Option<i64>);

/// Selects the device codes that meet the condition, as [`DeviceTuple`]s.
macro_rules! select_devices {
    ($condition:literal) => {
        concat!(
            "SELECT hash, user_code, client, scopes, expires_us, interval_s, polled_us, tries, code, denied_us FROM \
             device_code WHERE ",
            $condition
        )
    };
}

fn device(row: DeviceTuple) -> Result<DeviceCode, StoreError> {
    let (hash, user_code, client, scopes, expires_us, interval_s, polled_us, tries, code, denied_us) = row;
    Ok(DeviceCode {
        hash: SecretHash::from_column(&hash)?,
        user_code,
        client,
        scopes,
        expires_us,
        interval_s,
        polled_us,
        tries,
        code: code.map(|code| SecretHash::from_column(&code)).transpose()?,
        denied_us,
    })
}

impl Reader<'_> {
    /// The device that has the code with this hash.
    pub fn device_code(&mut self, hash: &SecretHash) -> Result<Option<DeviceCode>, StoreError> {
        let values = [Value::Bytes(Some(hash.as_bytes()))];
        let select = fixed!(DeviceSql, select_devices!("hash = ?"), &values);
        let found: Vec<DeviceTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(device).transpose()
    }

    /// The device that shows this code, without its hyphen.
    pub fn device_code_shown(&mut self, user_code: &str) -> Result<Option<DeviceCode>, StoreError> {
        let values = [Value::Text(user_code)];
        let select = fixed!(DeviceSql, select_devices!("user_code = ?"), &values);
        let found: Vec<DeviceTuple> = on!(self.link, connection => select.load(*connection))?;
        found.into_iter().next().map(device).transpose()
    }
}

impl Tx<'_> {
    /// Keeps a code for a device; false when another device shows the same one. Takes the occasion to forget old ones.
    pub fn add_device_code(&mut self, new: &DeviceCode) -> Result<bool, StoreError> {
        self.has_written = true;
        let forget = [Value::Integer(self.now_us - KEPT_US)];
        let forget = fixed!((), "DELETE FROM device_code WHERE expires_us < ?", &forget);
        on!(self.reader.link, connection => forget.execute(*connection))?;
        let values = [
            Value::Bytes(Some(new.hash.as_bytes())),
            Value::Text(&new.user_code),
            Value::Text(&new.client),
            Value::Text(&new.scopes),
            Value::Integer(new.expires_us),
            Value::Integer(new.interval_s),
        ];
        let insert = fixed!(
            (),
            "INSERT INTO device_code (hash, user_code, client, scopes, expires_us, interval_s) VALUES (?, ?, ?, ?, ?, ?) ON \
             CONFLICT DO NOTHING",
            &values,
        );
        Ok(on!(self.reader.link, connection => insert.execute(*connection))? > 0)
    }

    /// Notes that the device asked at `now_us`, and after how many seconds it may ask again.
    pub fn note_device_poll(&mut self, hash: &SecretHash, now_us: i64, interval_s: i64) -> Result<(), StoreError> {
        self.has_written = true;
        let values = [Value::Integer(now_us), Value::Integer(interval_s), Value::Bytes(Some(hash.as_bytes()))];
        let update = fixed!((), "UPDATE device_code SET polled_us = ?, interval_s = ? WHERE hash = ?", &values);
        on!(self.reader.link, connection => update.execute(*connection))?;
        Ok(())
    }

    /// Notes that somebody typed the code that a device shows, unless that was done `most` times; false then.
    pub fn try_device_code(&mut self, hash: &SecretHash, most: i64) -> Result<bool, StoreError> {
        self.has_written = true;
        let values = [Value::Bytes(Some(hash.as_bytes())), Value::Integer(most)];
        let update = fixed!((), "UPDATE device_code SET tries = tries + 1 WHERE hash = ? AND tries < ?", &values);
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }

    /// Lets a device in by an authorization code, or not at all (`None`); false when that was decided before.
    pub fn settle_device_code(&mut self, hash: &SecretHash, code: Option<&SecretHash>) -> Result<bool, StoreError> {
        self.has_written = true;
        let denied_us = if code.is_none() { Some(self.now_us) } else { None };
        let values = [
            Value::Bytes(code.map(SecretHash::as_bytes)),
            Value::AnyInteger(denied_us),
            Value::Bytes(Some(hash.as_bytes())),
        ];
        let update = fixed!(
            (),
            "UPDATE device_code SET code = ?, denied_us = ? WHERE hash = ? AND code IS NULL AND denied_us IS NULL",
            &values,
        );
        Ok(on!(self.reader.link, connection => update.execute(*connection))? > 0)
    }
}
