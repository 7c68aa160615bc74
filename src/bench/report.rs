//! The figures, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::bench::load::Measured;
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

/// What searches cost as the data grows.
#[derive(Clone, Debug)]
pub struct Growth {
    /// Which database.
    pub database: &'static str,
    /// The sizes, in ascending order.
    pub stages: Vec<Stage>,
    pub lines: Vec<GrowthLine>,
}

/// One size of the data.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    pub resources: u64,
    /// Resources per second, while it grew to this size.
    pub loaded_per_second: f64,
    /// Of the whole database, indexes and history included.
    pub bytes: u64,
}

/// One search.
#[derive(Clone, Debug)]
pub struct GrowthLine {
    pub search: &'static str,
    /// One for each stage.
    pub measured: Vec<Measured>,
}

/// What is done when four times as much is asked for as can be done.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Which database.
    pub database: &'static str,
    /// Connections that ask at once.
    pub crowd: usize,
    pub lines: Vec<OverloadLine>,
}

/// One workload.
#[derive(Clone, Debug)]
pub struct OverloadLine {
    pub work: &'static str,
    /// What a few clients reach that wait for their answers: before the crowd, and after it.
    pub peak_per_second: f64,
    pub after_per_second: f64,
    /// What the crowd came to: all that was answered.
    pub asked_per_second: f64,
    /// What was done of that ..
    pub done_per_second: f64,
    /// .. and what was turned away, with 503 or 429.
    pub shed_per_second: f64,
    /// Connections that were cut off in the midst of a request.
    pub broken: u64,
    /// Of what was done.
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Processor time of the server for each request that was done: at the peak, and by the crowd with all that was turned away.
    pub peak_cpu_us: f64,
    pub cpu_us: f64,
    /// Memory of the server itself before the crowd came, at most meanwhile, and after it has gone.
    pub memory_kib: u64,
    pub most_kib: u64,
    pub left_kib: u64,
}

/// What access costs.
#[derive(Clone, Debug)]
pub struct Access {
    /// Which database.
    pub database: &'static str,
    pub lines: Vec<AccessLine>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct AccessLine {
    pub request: &'static str,
    pub open: AccessSide,
    /// By a token, of a server without limits of rates.
    pub uncounted: AccessSide,
    /// By a token, with all that is between a caller and an answer.
    pub by_token: AccessSide,
}

/// What one of the servers showed.
#[derive(Clone, Copy, Debug)]
pub struct AccessSide {
    pub measured: Measured,
    /// Processor time of the server for one request.
    pub cpu_us: f64,
}

impl OverloadLine {
    /// What is still done of the peak; 1 is all of it.
    pub fn ratio(&self) -> f64 {
        self.done_per_second / self.peak_per_second
    }

    /// The peak after the crowd, as a part of that before.
    pub fn recovered(&self) -> f64 {
        self.after_per_second / self.peak_per_second
    }
}

impl AccessLine {
    /// The speed by token, as a part of that without; 1 is the same.
    pub fn ratio(&self) -> f64 {
        self.open.measured.p50_ms / self.by_token.measured.p50_ms
    }
}

impl Access {
    /// One JSON object.
    pub fn json(&self) -> Value {
        let side = |side: &AccessSide| {
            let AccessSide { measured, cpu_us } = side;
            json!({
                "p50Ms": measured.p50_ms, "p99Ms": measured.p99_ms, "cpuUs": rounded(*cpu_us),
                "answerBytes": measured.answer_bytes,
            })
        };
        let line = |line: &AccessLine| {
            json!({
                "request": line.request, "open": side(&line.open), "uncounted": side(&line.uncounted),
                "byToken": side(&line.by_token),
                "ratio": rounded(line.ratio()),
            })
        };
        json!({ "database": self.database, "lines": self.lines.iter().map(line).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "| {}: p50 / p99 in ms, CPU us | open | by token, uncounted | by token | speed ",
            self.database
        )?;
        writeln!(formatter, "|")?;
        writeln!(formatter, "|---|--:|--:|--:|--:|")?;
        for line in &self.lines {
            write!(formatter, "| {} ", line.request)?;
            for AccessSide { measured, cpu_us } in [line.open, line.uncounted, line.by_token] {
                write!(formatter, "| {:.3} / {:.3}, {cpu_us:.1} ", measured.p50_ms, measured.p99_ms)?;
            }
            writeln!(formatter, "| {:.2} |", line.ratio())?;
        }
        Ok(())
    }
}

/// What it costs the server to let an app in.
#[derive(Clone, Debug)]
pub struct Launches {
    /// Which database.
    pub database: &'static str,
    /// How many were measured.
    pub launches: u32,
    /// Processor time of the server for one, from the authorization endpoint to the first data.
    pub launch_us: f64,
    /// How long one took, as the app sees it.
    pub elapsed_ms: f64,
    /// Processor time for the hash of one password.
    pub hash_us: f64,
}

impl Launches {
    /// A launch as a part of the hash of one password.
    pub fn ratio(&self) -> f64 {
        self.launch_us / self.hash_us
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        json!({
            "database": self.database, "launches": self.launches, "launchCpuUs": rounded(self.launch_us),
            "elapsedMs": rounded(self.elapsed_ms), "hashCpuUs": rounded(self.hash_us), "ratio": rounded(self.ratio()),
        })
    }
}

impl fmt::Display for Launches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| {} | launches | ms for the app | server CPU us | one password hash, CPU us | ratio |",
            self.database
        )?;
        writeln!(formatter, "|---|--:|--:|--:|--:|--:|")?;
        let Launches { launches, elapsed_ms, launch_us, hash_us, .. } = self;
        writeln!(
            formatter,
            "| authorize to first data | {launches} | {elapsed_ms:.2} | {launch_us:.0} | {hash_us:.0} | {:.2} |",
            self.ratio()
        )
    }
}

impl Overload {
    /// One JSON object.
    pub fn json(&self) -> Value {
        let line = |line: &OverloadLine| {
            json!({
                "work": line.work, "peakPerSecond": rounded(line.peak_per_second), "askedPerSecond": rounded(line.asked_per_second),
                "donePerSecond": rounded(line.done_per_second), "ratio": rounded(line.ratio()),
                "shedPerSecond": rounded(line.shed_per_second), "broken": line.broken, "p50Ms": line.p50_ms, "p99Ms": line.p99_ms,
                "peakCpuUs": rounded(line.peak_cpu_us), "cpuUs": rounded(line.cpu_us), "memoryKib": line.memory_kib, "mostKib": line.most_kib, "leftKib": line.left_kib,
                "afterPerSecond": rounded(line.after_per_second), "recovered": rounded(line.recovered()),
            })
        };
        let lines: Vec<Value> = self.lines.iter().map(line).collect();
        json!({ "database": self.database, "crowd": self.crowd, "lines": lines })
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overload { database, crowd, lines } = self;
        writeln!(out, "{database}, {crowd} connections")?;
        writeln!(out)?;
        write!(
            out,
            "| | peak per second | asked | done | of the peak | turned away | cut off | p50 ms | p99 ms | CPU us at the peak, now "
        )?;
        writeln!(out, "| MiB before, most, after | peak after |")?;
        writeln!(out, "|---|{}", "--:|".repeat(11))?;
        let mib = |kib: u64| kib as f64 / 1024.0;
        for line in lines {
            let OverloadLine { work, peak_per_second, asked_per_second, done_per_second, shed_per_second, .. } = line;
            let OverloadLine { broken, p50_ms, p99_ms, peak_cpu_us, cpu_us, memory_kib, most_kib, left_kib, .. } = line;
            write!(out, "| {work} | {peak_per_second:.0} | {asked_per_second:.0} | {done_per_second:.0} ")?;
            write!(out, "| {:.0} % | {shed_per_second:.0} | {broken} ", 100.0 * line.ratio())?;
            write!(out, "| {p50_ms:.1} | {p99_ms:.1} | {peak_cpu_us:.0}, {cpu_us:.0} ")?;
            write!(out, "| {:.0}, {:.0}, {:.0} ", mib(*memory_kib), mib(*most_kib), mib(*left_kib))?;
            writeln!(out, "| {:.0} % |", 100.0 * line.recovered())?;
        }
        Ok(())
    }
}

impl GrowthLine {
    /// By how much the median grew from the first stage to the last.
    pub fn growth(&self) -> f64 {
        match (self.measured.first(), self.measured.last()) {
            (Some(first), Some(last)) => last.p50_ms / first.p50_ms,
            _ => 1.0,
        }
    }
}

impl Growth {
    /// One JSON object.
    pub fn json(&self) -> Value {
        let stage = |stage: &Stage| {
            json!({
                "resources": stage.resources, "loadedPerSecond": rounded(stage.loaded_per_second), "bytes": stage.bytes,
            })
        };
        let measured = |measured: &Measured| json!({ "p50Ms": measured.p50_ms, "p99Ms": measured.p99_ms, "answerBytes": measured.answer_bytes });
        let line = |line: &GrowthLine| {
            let measured: Vec<Value> = line.measured.iter().map(measured).collect();
            json!({ "search": line.search, "measured": measured, "growth": rounded(line.growth()) })
        };
        json!({
            "database": self.database, "stages": self.stages.iter().map(stage).collect::<Vec<_>>(),
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
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

impl fmt::Display for Growth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "| {}, p50 / p99 ms |", self.database)?;
        for stage in &self.stages {
            write!(out, " {} |", stage.resources)?;
        }
        writeln!(out, " growth |")?;
        writeln!(out, "|---|{}--:|", "--:|".repeat(self.stages.len()))?;
        for line in &self.lines {
            write!(out, "| {} |", line.search)?;
            for measured in &line.measured {
                write!(out, " {:.2} / {:.2} |", measured.p50_ms, measured.p99_ms)?;
            }
            writeln!(out, " {:.1} |", line.growth())?;
        }
        writeln!(out)?;
        for stage in &self.stages {
            let Stage { resources, loaded_per_second, bytes } = stage;
            let each = bytes / (*resources).max(1);
            writeln!(out, "{resources} resources: {each} bytes each, loaded at {loaded_per_second:.0} per second")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_from_the_first_size_to_the_last() {
        let of = |p50_ms| Measured { requests: 1, per_second: 1.0, p50_ms, p99_ms: 9.0, answer_bytes: 1 };
        let stage = |resources| Stage { resources, loaded_per_second: 5000.0, bytes: 1000 * resources };
        let growth = Growth {
            database: "SQLite",
            stages: vec![stage(10), stage(100)],
            lines: vec![GrowthLine { search: "token", measured: vec![of(0.5), of(0.6)] }],
        };

        let text = growth.to_string();

        assert!(text.contains("| token | 0.50 / 9.00 | 0.60 / 9.00 | 1.2 |"), "{text}");
        assert!(text.contains("100 resources: 1000 bytes each, loaded at 5000 per second"), "{text}");
        assert_eq!(growth.json()["lines"][0]["growth"], json!(1.2));
    }

    #[test]
    fn what_is_done_is_a_part_of_the_peak() {
        let line = OverloadLine {
            work: "create",
            peak_per_second: 5000.0,
            after_per_second: 4900.0,
            asked_per_second: 19_000.0,
            done_per_second: 4500.0,
            shed_per_second: 14_500.0,
            broken: 0,
            p50_ms: 200.0,
            p99_ms: 250.0,
            peak_cpu_us: 150.0,
            cpu_us: 160.0,
            memory_kib: 51_200,
            most_kib: 102_400,
            left_kib: 61_440,
        };
        let overload = Overload { database: "SQLite", crowd: 8000, lines: vec![line] };

        let text = overload.to_string();

        assert!(text.contains("| create | 5000 | 19000 | 4500 | 90 % | 14500 | 0 |"), "{text}");
        assert!(text.contains("| 50, 100, 60 | 98 % |"), "{text}");
        assert_eq!(overload.json()["lines"][0]["ratio"], json!(0.9));
    }

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
