//! `get` in a process of its own: this program, started anew.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Set in the processes that the tests start: the arguments, with [`BETWEEN`] between them.
const ARGUMENTS: &str = "LONGWIRE_TEST_GET";
const BETWEEN: char = '\u{1f}';

/// Printed before `get` begins: what stands before it on standard output is libtest's.
const MARK: &str = "\n-- get --";

/// The environment of this machine must not decide on a test.
const PROXIES: [&str; 5] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"];

/// Is `get` in the processes that [`Get::run`] starts, and nothing in this one.
#[test]
fn this_program_is_get_when_it_is_started_as_that() {
    if let Ok(arguments) = env::var(ARGUMENTS) {
        println!("{MARK}");
        let arguments = arguments.split(BETWEEN).filter(|_| !arguments.is_empty());
        process::exit(crate::get::execute(arguments.map(Into::into)).into());
    }
}

/// A command line that is to be run.
pub(crate) struct Get {
    command: Command,
    input: String,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Get {
    pub(crate) fn new(arguments: &[&str]) -> Get {
        let mut command = without_proxies(Command::new(env::current_exe().expect("the path of this program")));
        command.args(["--exact", "process::this_program_is_get_when_it_is_started_as_that", "--nocapture"]);
        command.env(ARGUMENTS, arguments.join(&BETWEEN.to_string()));
        Get { command, input: String::new() }
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Get {
        self.command.env(name, value);
        self
    }

    /// Standard input.
    pub(crate) fn input(mut self, input: &str) -> Get {
        self.input = input.into();
        self
    }

    pub(crate) fn folder(mut self, folder: &Folder) -> Get {
        folder.enter(&mut self.command);
        self
    }

    /// Runs it on a terminal of so many columns; what it writes there is its standard output.
    #[cfg(unix)]
    pub(crate) fn on_terminal(self, columns: u16) -> Get {
        let mut command = Command::new("python3");
        command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/get/on_terminal.py"), &columns.to_string()]);
        self.started_by(command)
    }

    /// Runs it where files can be opened, but nothing can be written to them.
    #[cfg(unix)]
    pub(crate) fn without_disk_space(self) -> Get {
        let mut command = Command::new("sh");
        command.args(["-c", r#"trap "" XFSZ; ulimit -f 0; exec "$0" "$@""#]);
        self.started_by(command)
    }

    /// Runs it by a command that takes program and arguments as its last arguments.
    #[cfg(unix)]
    fn started_by(self, mut command: Command) -> Get {
        command.arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Get { command, ..self }
    }

    pub(crate) fn run(mut self) -> Ran {
        let mut ran = finish(&mut self.command, &self.input);
        let (_, after) = ran.stdout.split_once(MARK).expect("`get` has begun");
        let line_end = after.find('\n').expect("the mark's own line end"); // a terminal writes CR LF
        ran.stdout = after[line_end + 1..].to_owned();
        ran
    }
}

/// Runs `get`.
pub(crate) fn get(arguments: &[&str]) -> Ran {
    Get::new(arguments).run()
}

pub(crate) fn without_proxies(mut command: Command) -> Command {
    for name in PROXIES {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

/// Runs this to its end.
pub(crate) fn finish(command: &mut Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // It may end without reading it.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        status: output.status.code().expect("it has exited"),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// A folder of a test's own, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("longwire-get-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    /// Runs that in it.
    pub(crate) fn enter(&self, command: &mut Command) {
        command.current_dir(&self.0);
    }

    /// The path of a file in it, with this content.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        fs::write(self.0.join(name), content).expect("a file for the test");
        self.path(name)
    }

    /// The path of a file in it, be it there or not.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is UTF-8").to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
