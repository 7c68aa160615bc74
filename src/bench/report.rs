//! The figures, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::store::ceiling::Size;

/// One workload with one number of clients.
#[derive(Clone, Debug)]
pub struct Line {
    /// `create`, `read`, `update`, `search` or `import`.
    pub work: &'static str,
    pub clients: usize,
    /// Requests per second; for `import` resources per second.
    pub per_second: f64,
    /// Of one request, also for `import`.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Processor time of the server for one request or resource.
    pub cpu_us: f64,
    /// What stands in `per_second` when there is nothing but the database, or nothing but the HTTP library.
    pub ceiling_per_second: f64,
    /// Mean length of an answer.
    pub answer_bytes: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which database.
    pub database: &'static str,
    pub lines: Vec<Line>,
    /// From the start of the process to the line `listening on`, with the database that the workloads left.
    pub start_ms: f64,
    /// Memory a second after that start.
    pub idle_kib: u64,
    /// The most memory while the workloads ran.
    pub peak_kib: u64,
    /// `None` for PostgreSQL, whose files are not ours to look at.
    pub size: Option<Size>,
}

impl Line {
    /// The part of the ceiling that was reached; 1 is all of it.
    pub fn ratio(&self) -> f64 {
        self.per_second / self.ceiling_per_second
    }
}

impl Report {
    /// One JSON object.
    pub fn json(&self) -> Value {
        let rounded = |number: f64| (number * 1000.0).round() / 1000.0;
        let line = |line: &Line| {
            json!({
                "work": line.work, "clients": line.clients, "perSecond": rounded(line.per_second),
                "p50Ms": line.p50_ms, "p99Ms": line.p99_ms, "cpuUs": rounded(line.cpu_us),
                "ceilingPerSecond": rounded(line.ceiling_per_second), "ratio": rounded(line.ratio()),
                "answerBytes": line.answer_bytes,
            })
        };
        let size = self
            .size
            .map(|size| json!({ "bytes": size.bytes, "resources": size.resources, "versions": size.versions }));
        json!({
            "database": self.database, "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
            "startMs": rounded(self.start_ms), "idleKib": self.idle_kib, "peakKib": self.peak_kib, "disk": size,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "| {} | clients | ratio | per second | ceiling | p50 ms | p99 ms | CPU us |", self.database)?;
        writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
        for line in &self.lines {
            let Line { work, clients, per_second, ceiling_per_second, p50_ms, p99_ms, cpu_us, .. } = line;
            writeln!(
                out,
                "| {work} | {clients} | {:.0} % | {per_second:.0} | {ceiling_per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {cpu_us:.0} |",
                100.0 * line.ratio()
            )?;
        }
        writeln!(out)?;
        writeln!(out, "Start on this database: {:.0} ms", self.start_ms)?;
        let mib = |kib: u64| kib as f64 / 1024.0;
        writeln!(out, "Memory: {:.1} MiB idle, at most {:.1} MiB under load", mib(self.idle_kib), mib(self.peak_kib))?;
        if let Some(size) = self.size {
            let per_version = size.bytes as f64 / size.versions.max(1) as f64;
            let Size { resources, versions, .. } = size;
            writeln!(out, "Disk: {per_version:.0} bytes per version ({versions} versions of {resources} resources)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_stands_beside_both_of_its_parts() {
        let line = Line {
            work: "read",
            clients: 16,
            per_second: 600.0,
            p50_ms: 1.0,
            p99_ms: 2.0,
            cpu_us: 30.0,
            ceiling_per_second: 1000.0,
            answer_bytes: 1400,
        };
        let report = Report {
            database: "SQLite",
            lines: vec![line],
            start_ms: 50.0,
            idle_kib: 2048,
            peak_kib: 4096,
            size: Some(Size { bytes: 3000, resources: 1, versions: 2 }),
        };

        let text = report.to_string();

        assert!(text.contains("| read | 16 | 60 % | 600 | 1000 |"), "{text}");
        assert!(text.contains("1500 bytes per version"), "{text}");
        assert_eq!(report.json()["lines"][0]["ratio"], json!(0.6));
    }
}
