//! Go's net/http: a program of its own, which is built if there is a `go` and prints its sample as this one does.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use longwire_benches::sample::Sample;
use longwire_benches::work::{Act, Work};

use crate::works;

/// Gives Go's version, or why there is no program.
pub fn build() -> Result<String, String> {
    let told = Command::new("go").args(["env", "GOVERSION"]).output().map_err(|error| format!("`go`: {error}"))?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/plain/go");
    let built = Command::new("go").arg("build").arg("-o").arg(program()).current_dir(sources).status();
    match built {
        Ok(status) if status.success() => Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned()),
        _ => Err("`go build` failed".to_owned()),
    }
}

/// Beside this one.
fn program() -> PathBuf {
    env::current_exe().expect("a program").with_file_name("plain-go")
}

pub fn sample(work: &Work, url: &str, count: usize) -> Sample {
    let (act, size, threads, deadline) = match work.act {
        Act::Get { buffer } => ("get", buffer, 1, None),
        Act::GetParsed { buffer } => ("get-parsed", buffer, 1, None),
        Act::Collect { deadline } => ("collect", 0, 1, deadline),
        Act::Post { bytes } => ("post", bytes, 1, None),
        Act::Threads { threads } => ("get", 8192, threads, None),
    };
    let numbers = [
        ("count", count),
        ("size", size),
        ("threads", threads),
        ("bytes", work.bytes),
        ("deadline", deadline.map_or(0, |deadline| deadline.as_secs() as usize)),
        ("buffer", works::buffer_size(work).unwrap_or(0)),
    ];
    let mut command = Command::new(program());
    command.args(["-act", act]).args(numbers.map(|(name, number)| format!("-{name}={number}")));
    let output = command.args(work.urls(url)).stderr(Stdio::inherit()).output().expect("Go's program");
    Sample::parse(&String::from_utf8_lossy(&output.stdout)).expect("a sample")
}
