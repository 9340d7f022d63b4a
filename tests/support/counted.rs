//! This test program again, as a child that runs one of its tests under a tool which counts.
//! The peer stays in the parent, so that what is counted is the client's alone. Linux only.
#![allow(dead_code, unreachable_pub)] // each test file uses a part of it

use std::process::{Command, Output};
use std::{env, fs, process};

/// All system calls of the child, of all its threads, by strace.
pub fn system_calls(test: &str, variables: &[(&str, &str)]) -> u64 {
    let trace = env::temp_dir().join(format!("longwire-strace-{}-{test}", process::id()));
    let mut command = Command::new("strace");
    command.args(["-f", "-o"]).arg(&trace);
    run(command, test, variables);
    let text = fs::read(&trace).expect("the trace");
    fs::remove_file(&trace).expect("remove the trace");
    // One line per call; a call that another thread interrupted has a second line, "resumed".
    let text = String::from_utf8_lossy(&text);
    let calls = text.lines().filter(|line| line.contains('(') && !line.contains(" resumed>"));
    calls.count() as u64
}

/// The instructions that the child executes from the entry of this function (a pattern of its
/// path) to its return, by callgrind: in user space only.
pub fn instructions(test: &str, function: &str, variables: &[(&str, &str)]) -> u64 {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(format!("--toggle-collect={function}"));
    let printed = run(command, test, variables);
    let printed = String::from_utf8_lossy(&printed.stderr);
    let figure = printed.lines().find_map(|line| line.split_once("Collected : "));
    let figure = figure.and_then(|(_, figure)| figure.trim().parse().ok());
    figure.filter(|figure| *figure > 0).unwrap_or_else(|| panic!("{function} was not counted: {printed}"))
}

/// Callgrind's profile of what the child executes from the entry of this function (a pattern of its
/// path) to its return: every function that runs, with its file and lines. Names are written out and
/// positions absolute, which the format otherwise abbreviates.
pub fn profile(test: &str, function: &str, variables: &[(&str, &str)]) -> String {
    let file = env::temp_dir().join(format!("longwire-callgrind-{}-{test}", process::id()));
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--dump-instr=no", "--compress-strings=no", "--compress-pos=no"]);
    command.arg(format!("--toggle-collect={function}")).arg(format!("--callgrind-out-file={}", file.display()));
    run(command, test, variables);
    let profile = fs::read(&file).expect("the profile");
    fs::remove_file(&file).expect("remove the profile");
    String::from_utf8_lossy(&profile).into_owned()
}

fn run(mut command: Command, test: &str, variables: &[(&str, &str)]) -> Output {
    command.arg(env::current_exe().expect("the path of this program"));
    command.args(["--exact", test]).envs(variables.iter().copied());
    let run = command.output().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && printed.contains("1 passed"), "{printed}{}", String::from_utf8_lossy(&run.stderr));
    run
}
