//! Processes, as the package's storage knows them.

use junfeiai::protocol::process::ProcessTable;

use crate::run::OneThread;
use crate::save::{JsStorage, NodeStorage};

/// What this system says about its processes.
pub(crate) struct Processes(OneThread<NodeStorage>);

impl Processes {
    pub(crate) fn new(storage: JsStorage) -> Self {
        Self(OneThread(NodeStorage::new(storage)))
    }
}

impl ProcessTable for Processes {
    fn pid(&self) -> u32 {
        self.0.get().pid()
    }

    fn boot_id(&self) -> Option<String> {
        self.0.get().boot_id()
    }

    fn pid_space(&self) -> Option<String> {
        self.0.get().pid_space()
    }

    fn proc_stat(&self, pid: Option<u32>) -> Option<String> {
        self.0.get().proc_stat(pid)
    }

    fn process_exists(&self, pid: u32) -> Option<bool> {
        self.0.get().process_exists(pid)
    }
}
