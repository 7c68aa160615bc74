//! How often somebody may type a code that no device shows.
//!
//! Spec: RFC 8628 section 5.1

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::http::rates::Kind;
use crate::http::{App, HttpError, peer};

/// A try that counts, for the account and for the address, unless it is given back.
pub struct UserCodes<'a> {
    app: &'a App,
    account: i64,
    address: Option<IpAddr>,
}

impl<'a> UserCodes<'a> {
    /// Counts a try before it is known to be in vain, so that not even many at once are more than the limit.
    pub fn take(app: &'a App, request: &HttpRequest, account: i64) -> Result<UserCodes<'a>, HttpError> {
        let address = peer::address(app, request).map(peer::household);
        if let Some(rates) = &app.rates {
            rates.take(Kind::UserCode, account)?;
            rates.take(Kind::UserCode, address)?;
        }
        Ok(UserCodes { app, account, address })
    }

    /// A device shows the code: the try does not count.
    pub fn give_back(self) {
        if let Some(rates) = &self.app.rates {
            rates.give_back(Kind::UserCode, self.account);
            rates.give_back(Kind::UserCode, self.address);
        }
    }
}
