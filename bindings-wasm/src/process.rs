//! Processes, as JavaScript knows them: those of the machine in Node, the tabs and workers of an origin in a page.

use junfeiai::protocol::process::ProcessTable;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::run::OneThread;

#[wasm_bindgen]
extern "C" {
    /// What this system says about its processes: `ts/node-save.ts`, `ts/tabs.ts`.
    pub type JsProcesses;
    #[wasm_bindgen(method, getter)]
    fn pid(this: &JsProcesses) -> u32;
    #[wasm_bindgen(method, getter, js_name = bootId)]
    fn boot_id(this: &JsProcesses) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = pidSpace)]
    fn pid_space(this: &JsProcesses) -> Option<String>;
    #[wasm_bindgen(method, js_name = procStat)]
    fn proc_stat(this: &JsProcesses, pid: Option<u32>) -> Option<String>;
    #[wasm_bindgen(method, js_name = processExists)]
    fn process_exists(this: &JsProcesses, pid: u32) -> Option<bool>;
}

/// What this system says about its processes.
pub(crate) struct Processes(OneThread<JsProcesses>);

impl Processes {
    pub(crate) fn new(processes: JsProcesses) -> Self {
        Self(OneThread(processes))
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
