//! What searches cost as the data grows: the same searches over a town of one size, then of the next.

use std::path::Path;

use crate::bench::child::Server;
use crate::bench::load::{self, Measured, Request, Until};
use crate::bench::report::{Growth, GrowthLine, Stage};
use crate::bench::town::{self, SEARCHES};
use crate::bench::{BenchError, Plan, sqlite_path, start};
use crate::store::ceiling;

/// Clients that send the resources.
const LOADERS: usize = 4;

/// Lets the town grow to each of the `sizes`, in ascending order, and measures all searches at each.
pub(super) fn measure(
    plan: &Plan,
    sizes: &[u64],
    folder: &Path,
    progress: &dyn Fn(&str),
) -> Result<Growth, BenchError> {
    let server = start(plan, folder)?;
    let mut lines: Vec<GrowthLine> =
        SEARCHES.iter().map(|search| GrowthLine { search: search.name, measured: Vec::new() }).collect();
    let mut stages = Vec::with_capacity(sizes.len());
    let mut parts = 0;
    for &size in sizes {
        let wanted = size.div_ceil(town::OF_TRANSACTION);
        progress(&format!("growing to {size} resources"));
        let loaded = grow(&server, parts, wanted)?;
        parts = wanted;
        let bytes = match &plan.postgres {
            None => ceiling::sqlite_size(&sqlite_path(folder))?.bytes,
            Some(address) => ceiling::postgres_size(address)?,
        };
        let per_second = loaded.per_second * town::OF_TRANSACTION as f64;
        stages.push(Stage { resources: size, loaded_per_second: per_second, bytes });
        for (search, line) in SEARCHES.iter().zip(&mut lines) {
            progress(&format!("  {}", search.name));
            line.measured.push(searched(&server, plan, size, search)?);
        }
    }
    server.stop()?;
    Ok(Growth { database: plan.database_name(), stages, lines })
}

fn grow(server: &Server, from: u64, to: u64) -> Result<Measured, BenchError> {
    Ok(load::run(server.address, None, LOADERS, Until::Sent(to - from), from, |number| Request {
        method: "POST",
        path: "/fhir".to_owned(),
        body: town::transaction(number),
    })?)
}

fn searched(server: &Server, plan: &Plan, size: u64, search: &town::Search) -> Result<Measured, BenchError> {
    let path = search.path;
    let first = load::body(server.address, &path(size, 0))?;
    if !first.contains("\"entry\"") && !first.contains("\"total\"") {
        return Err(BenchError::NothingFound(search.name));
    }
    let request = move |number| Request { method: "GET", path: path(size, number), body: String::new() };
    Ok(load::run(server.address, None, 1, Until::Elapsed(plan.span), 0, request)?)
}
