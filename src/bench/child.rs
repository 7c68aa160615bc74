//! A server in a process of its own, so that what it uses can be told from what the load uses.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `/proc` counts in hundredths of a second on all Linux platforms.
const TICK_US: u64 = 10_000;

/// A child process that listens; it ends with the value.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// From the start of the process to the line that says where it listens.
    pub(super) started_in: Duration,
}

impl Server {
    /// Starts this program with `arguments` in `folder`, and waits for its line `listening on http://..`.
    ///
    /// No settings of the caller's reach it: all are measured with the defaults.
    pub(super) fn start(folder: &Path, arguments: &[&str]) -> io::Result<Server> {
        let begin = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("EMBERWELL_") {
                command.env_remove(name);
            }
        }
        let mut child =
            command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let started_in = begin.elapsed();
        let address = line.trim().strip_prefix("listening on http://").and_then(|text| text.parse().ok());
        match address {
            Some(address) => Ok(Server { child, address, started_in }),
            None => {
                child.kill()?;
                child.wait()?;
                Err(io::Error::other("the server did not start"))
            }
        }
    }

    /// Processor time that the process has used so far, in user mode and in the kernel.
    pub(super) fn cpu_us(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        cpu_ticks(&text)
            .map(|ticks| ticks * TICK_US)
            .ok_or_else(|| io::Error::other("/proc/PID/stat is not understood"))
    }

    /// Memory that the process holds, in KiB: now and at most so far.
    pub(super) fn memory_kib(&self) -> io::Result<(u64, u64)> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let both = field(&text, "VmRSS:").zip(field(&text, "VmHWM:"));
        both.ok_or_else(|| io::Error::other("/proc/PID/status is not understood"))
    }

    /// Memory of the process itself, in KiB: without the pages of files that it maps, which the system takes back when it likes.
    pub(super) fn own_memory_kib(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        field(&text, "RssAnon:").ok_or_else(|| io::Error::other("/proc/PID/status is not understood"))
    }

    /// Asks the server to stop and waits until it has.
    pub(super) fn stop(mut self) -> io::Result<()> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone after `stop`; then there is nothing left to end.
        if let Ok(None) = self.child.try_wait()
            && self.child.kill().is_ok()
        {
            let _ = self.child.wait();
        }
    }
}

/// A number of /proc/PID/status.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// utime and stime. The name of the program, in brackets, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::cpu_ticks;

    #[test]
    fn processor_time_is_that_of_program_and_kernel() {
        let stat = "12 (a b) c) S 1 12 12 0 -1 4194304 5 0 0 0 70 30 0 0 20 0 5 0 100 1000 10";

        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("12 (a"), None);
    }
}
