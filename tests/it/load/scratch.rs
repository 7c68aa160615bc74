//! A folder with files to load, and the program to load them with.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// A folder that is gone when the test is over.
pub struct Scratch(PathBuf);

/// How a run of the program ended.
pub struct Run {
    pub code: i32,
    /// The summary; null when there is none.
    pub summary: Value,
    pub told: String,
}

impl Scratch {
    pub fn make() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("emberwell_load_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(folder.join("input")).unwrap();
        Scratch(folder)
    }

    /// Writes a file into the folder `input`.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.0.join("input").join(name), content).unwrap();
    }

    pub fn json(&self, name: &str, content: &Value) {
        self.file(name, content.to_string());
    }

    pub fn lines(&self, name: &str, content: &[Value]) {
        let lines: Vec<String> = content.iter().map(Value::to_string).collect();
        self.file(name, lines.join("\n"));
    }

    pub fn archive(&self, name: &str, content: &[(&str, String)]) {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, text) in content {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        self.file(name, archive.into_inner().unwrap().finish().unwrap());
    }

    /// Runs `load --json input` with these arguments to its end.
    pub fn load(&self, arguments: &[&str]) -> Run {
        self.load_with(arguments, &[])
    }

    /// The same, while a server of the test goes on on this thread.
    pub async fn load_beside(&self, arguments: &[&str]) -> Run {
        let command = self.command(arguments);
        actix_web::rt::task::spawn_blocking(move || ended(command)).await.unwrap()
    }

    pub fn load_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        ended(command)
    }

    /// Starts the same and does not wait.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwell"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EMBERWELL_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.0).args(["load", "--json", "input"]).args(arguments);
        command
    }

    /// The folder of the data that the program takes when it is told nothing.
    pub fn data(&self) -> PathBuf {
        self.0.join("emberwell-data")
    }
}

fn ended(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Run {
        code: output.status.code().unwrap(),
        summary: serde_json::from_str(&printed).unwrap_or_default(),
        told: String::from_utf8_lossy(&output.stderr).into_owned() + &printed,
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
