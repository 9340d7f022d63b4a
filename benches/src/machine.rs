//! What the figures were measured on, and how a process is bound to one core.

use std::process::{Command, Stdio};
use std::{env, fs, io};

/// The first core that this process may use, if `taskset` is there to bind others to it.
pub fn one_core() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let first: String = allowed.trim().chars().take_while(char::is_ascii_digit).collect();
    let tried = Command::new("taskset").args(["-c", &first, "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then_some(first)
}

/// This program again, with these arguments, bound to the core.
pub fn this_program(core: Option<&str>, arguments: &[&str]) -> io::Result<Command> {
    let program = env::current_exe()?;
    let mut command = match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", core]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments);
    Ok(command)
}

/// Processor, system, compiler, versions, and how it was done.
pub fn describe(clients: &[&str], is_pinned: bool, rounds: usize) -> String {
    let processor = value_in("/proc/cpuinfo", "model name").unwrap_or_else(|| env::consts::ARCH.to_owned());
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    // Where none of them is a crate they are longwire's own ways.
    let mut versions: Vec<String> = clients.iter().filter_map(|name| version_of(name)).collect();
    if versions.is_empty() {
        versions.extend(version_of("longwire"));
    }
    let place = if is_pinned { "client and server on one core" } else { "NOT bound to one core (no `taskset`)" };
    format!(
        "{processor}, Linux {}, {}; {}. {rounds} interleaved rounds, {place}.",
        system.trim(),
        compiler.unwrap_or_default(),
        versions.join(", "),
    )
}

fn value_in(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

/// As the lock file has it; of several the first.
fn version_of(name: &str) -> Option<String> {
    versions_of(name).into_iter().next()
}

/// All that the lock file has, the oldest first.
pub fn versions_of(name: &str) -> Vec<String> {
    let lock = include_str!("../Cargo.lock");
    let head = format!("\nname = \"{name}\"\n");
    let versions = lock.split(&head).skip(1).filter_map(|package| package.lines().next()?.strip_prefix("version = "));
    versions.map(|version| format!("{name} {}", version.trim_matches('"'))).collect()
}
