//! Real servers on free loopback ports, with their data in a temporary folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

pub(crate) const PASSWORD: &str = "pa:ss/w@rd-7391";
/// The password as it stands in a URL.
pub(crate) const ENCODED: &str = "pa%3Ass%2Fw%40rd-7391";

/// A program that is in PATH or in one of these folders.
fn program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = std::env::split_paths(&path).chain(folders.iter().cloned()).map(|folder| folder.join(name));
    all.find(|path| path.is_file())
}

fn postgres_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders
}

/// The programs of `PostgreSQL`, or why there are none.
pub(crate) fn postgres_programs() -> Result<[PathBuf; 3], String> {
    let folders = postgres_folders();
    let find = |name: &str| program(name, &folders).ok_or_else(|| format!("{name} is not installed"));
    if nix::unistd::geteuid().is_root() {
        find("setpriv")?;
    }
    Ok([find("initdb")?, find("postgres")?, find("psql")?])
}

/// The programs of Redis or Valkey, or why there are none.
pub(crate) fn redis_programs() -> Result<[PathBuf; 2], String> {
    let find = |names: [&str; 2]| {
        names.iter().find_map(|name| program(name, &[])).ok_or_else(|| format!("{} is not installed", names[0]))
    };
    Ok([find(["redis-server", "valkey-server"])?, find(["redis-cli", "valkey-cli"])?])
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `PostgreSQL` refuses to run as root: then somebody else runs it.
fn as_other(program: &Path) -> Command {
    let other = User::from_name("postgres").ok().flatten().or_else(|| User::from_name("nobody").ok().flatten());
    match other.filter(|_| nix::unistd::geteuid().is_root()) {
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", user.uid))
                .arg(format!("--regid={}", user.gid))
                .arg("--clear-groups")
                .arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Waits for something that a server does.
pub(crate) fn until(what: &str, done: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < limit, "in vain: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// A certificate of a CA of its own for 127.0.0.1: CA, certificate and key.
pub(crate) fn certificate() -> [String; 3] {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    [ca_pem, leaf.pem(), key.serialize_pem()]
}

/// A running server.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    process: Option<Child>,
    pub(crate) port: u16,
    kind: Kind,
    options: Vec<String>,
}

enum Kind {
    Postgres([PathBuf; 3]),
    Redis([PathBuf; 2]),
}

impl Server {
    pub(crate) fn postgres(options: &[&str]) -> Self {
        let programs = postgres_programs().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        let data = folder.path().join("data");
        let made = as_other(&programs[0])
            .args(["--auth=scram-sha-256", "--username=owner", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let options = options.iter().flat_map(|option| ["-c".to_owned(), (*option).to_owned()]).collect();
        let mut server = Self { folder, process: None, port: free_port(), kind: Kind::Postgres(programs), options };
        server.start();
        server
    }

    pub(crate) fn redis(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let kind = Kind::Redis(redis_programs().unwrap());
        let mut server = Self { folder, process: None, port: free_port(), kind, options };
        server.start();
        server
    }

    pub(crate) fn start(&mut self) {
        // Servers of PostgreSQL that were killed leave children, which hold its memory for a moment.
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let mut process = self.spawn();
            loop {
                if self.answers() {
                    self.process = Some(process);
                    return;
                }
                assert!(Instant::now() < limit, "the server does not start: {}", self.log());
                if process.try_wait().unwrap().is_some() {
                    sleep(Duration::from_millis(200));
                    break;
                }
                sleep(Duration::from_millis(20));
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn spawn(&self) -> Child {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = match &self.kind {
            Kind::Postgres(programs) => {
                let mut command = as_other(&programs[1]);
                command.arg("-D").arg(self.folder.path().join("data")).arg("-p").arg(self.port.to_string());
                command
                    .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
                    .args(&self.options);
                command
            }
            Kind::Redis(programs) => {
                let mut command = Command::new(&programs[0]);
                command.args(["--bind", "127.0.0.1", "--dir"]).arg(self.folder.path());
                if !self.options.iter().any(|option| option == "--tls-port") {
                    command.arg("--port").arg(self.port.to_string());
                }
                for option in &self.options {
                    command.arg(option.replace("{port}", &self.port.to_string()));
                }
                command
            }
        };
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn answers(&self) -> bool {
        match &self.kind {
            Kind::Postgres(_) => self.try_admin("select 1").is_ok(),
            Kind::Redis(_) if self.options.iter().any(|option| option == "--tls-port") => {
                std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            }
            Kind::Redis(_) => self.try_admin("PING").is_ok_and(|answer| answer.contains("PONG")),
        }
    }

    fn try_admin(&self, command: &str) -> Result<String, String> {
        self.try_admin_in("postgres", command)
    }

    fn try_admin_in(&self, database: &str, command: &str) -> Result<String, String> {
        let output = match &self.kind {
            Kind::Postgres(programs) => Command::new(&programs[2])
                .env("PGPASSWORD", PASSWORD)
                .args([
                    "-X",
                    "-A",
                    "-t",
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-h",
                    "127.0.0.1",
                    "-U",
                    "owner",
                    "-d",
                    database,
                    "-p",
                ])
                .arg(self.port.to_string())
                .args(["-c", command])
                .output(),
            Kind::Redis(programs) => Command::new(&programs[1])
                .env("REDISCLI_AUTH", PASSWORD)
                .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
                .args(command.split(' '))
                .output(),
        }
        .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr) + &text(&output.stdout))
        }
    }

    /// Does something with the server as its owner.
    pub(crate) fn admin(&self, command: &str) -> String {
        self.try_admin(command).unwrap()
    }

    /// Likewise in another database of `PostgreSQL`.
    pub(crate) fn admin_in(&self, database: &str, command: &str) -> String {
        self.try_admin_in(database, command).unwrap()
    }

    /// Writes a file into the folder of the server, and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.as_ref().unwrap().id().cast_signed())
    }

    /// Stops it in the middle of whatever it does, with all its children.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::SIGSTOP } else { Signal::SIGCONT };
        for pid in children(self.pid()).into_iter().chain([self.pid()]) {
            let _ = kill(pid, signal);
        }
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        parent_of == Some(parent.as_raw())
    };
    numbers.filter(child).map(Pid::from_raw).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.freeze(false);
            // SIGQUIT ends PostgreSQL with its children at once; Redis is killed.
            let _ = kill(self.pid(), Signal::SIGQUIT);
            let mut process = self.process.take().unwrap();
            if matches!(self.kind, Kind::Redis(_)) {
                let _ = process.kill();
            }
            let _ = process.wait();
        }
    }
}
