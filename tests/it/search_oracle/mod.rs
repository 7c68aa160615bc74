//! Search compared with an oracle that knows nothing of the server's own search: its own reading of values, its own
//! comparisons, over all resources one by one.
//!
//! Spec: R4 search.html

pub mod compared;
mod criteria;
mod date_table;
mod decimals;
mod edge_table;
mod filter_criteria;
mod filters;
mod generated;
mod hierarchies;
pub mod includes;
mod links;
mod number_table;
pub mod oracle;
pub mod parameters;
pub mod queries;
pub mod random;
mod resources;
mod shrink;
mod sorting;
mod spans;
mod terms;
mod unit_table;
mod units;
pub mod values;
mod words;

use serde_json::{Value, json};

use crate::support::{TestServer, bundle};

/// Puts all resources under their own ids, some hundred at a time.
pub async fn fill(server: &TestServer, resources: &[Value]) {
    for some in resources.chunks(200) {
        let put = |resource: &Value| {
            let url = format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
            json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
        };
        let entries: Vec<Value> = some.iter().map(put).collect();
        // A transaction would look for what a `urn:uuid:` refers to.
        let answer = server.post("", &bundle("batch", &entries)).await.expect(200);
        let refused = answer.entries().into_iter().find(|entry| entry["response"]["status"] != "201 Created");
        assert!(refused.is_none(), "{refused:?}");
    }
}

/// A value as a query string holds it: all but letters and digits in percent signs.
pub fn encoded(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
