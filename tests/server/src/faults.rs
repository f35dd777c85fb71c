//! Faults that a test can order up, and which request each of them meets.

use std::time::Duration;

use crate::Endpoint;

/// A fault: after `skip` requests to an endpoint, the next `times` get an action. Requests count
/// from when the fault was added. Of several faults for one request the first added is used, and
/// the others keep their turns.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The endpoint whose requests it meets.
    pub on: Endpoint,
    /// How many requests pass first.
    pub skip: usize,
    /// How many requests it meets.
    pub times: usize,
    /// Whether a deletion that gets the fault starts its task all the same, before the faulty
    /// reply. Without it, replies that are cut short tell of a task that does not exist, and
    /// [`Action::Delay`] starts the task only when its time is over.
    pub effect: bool,
    /// What happens to the request.
    pub action: Action,
}

impl Fault {
    /// A fault that meets the next request, without effect.
    pub fn new(on: Endpoint, action: Action) -> Fault {
        Fault { on, skip: 0, times: 1, effect: false, action }
    }

    /// The same fault, after `n` requests have passed.
    pub fn skip(self, n: usize) -> Fault {
        Fault { skip: n, ..self }
    }

    /// The same fault, for `n` requests; `usize::MAX` for ever.
    pub fn times(self, n: usize) -> Fault {
        Fault { times: n, ..self }
    }

    /// The same fault, with the deletion carried out all the same.
    pub fn with_effect(self) -> Fault {
        Fault { effect: true, ..self }
    }
}

/// What a fault does to its request, once the request is read. "FIN" and "RST" are how the
/// connection ends.
#[derive(Clone, Debug)]
pub enum Action {
    /// RST, nothing sent.
    ResetBeforeReply,
    /// FIN, nothing sent.
    CloseBeforeReply,
    /// The real reply's head and half of its body, then RST.
    ResetInReply,
    /// The real reply's head and half of its body, then FIN.
    CloseInReply,
    /// The real reply in chunks, cut before the end, then FIN.
    CutChunked,
    /// The real reply with no length, cut in half, then FIN (under TLS a proper close, so that
    /// nothing but the content shows the cut).
    CutUnframed,
    /// The real reply's body cut in half, but framed as if it were whole.
    CutJson,
    /// This reply instead.
    Reply {
        /// The status.
        status: u16,
        /// Its headers, but for the content's length.
        headers: Vec<(String, String)>,
        /// Its body.
        body: String,
    },
    /// These bytes, then FIN.
    Raw(Vec<u8>),
    /// Nothing, until the client goes away or the server stops.
    Stall,
    /// The real reply, so much later.
    Delay(Duration),
    /// The real reply, its body in four parts, each so long after what came before.
    Pauses(Duration),
    /// 200 with a body in chunks that never ends.
    Endless,
}

impl Action {
    /// A web server's page with that status, as a proxy or load balancer in front gives it.
    pub fn html(status: u16) -> Action {
        Action::Reply {
            status,
            headers: vec![("content-type".into(), "text/html".into())],
            body: crate::http::page(status),
        }
    }

    /// Connect's error object.
    pub fn error(status: u16, code: i64, text: &str) -> Action {
        Action::Reply {
            status,
            headers: vec![("content-type".into(), "application/json; charset=utf-8".into())],
            body: crate::refusal::error_body(code, text),
        }
    }
}

/// The fault for a request to `endpoint`, its turn counted.
pub(crate) fn next(faults: &mut [Fault], endpoint: Endpoint) -> Option<Fault> {
    let mut met = None;
    for fault in faults.iter_mut().filter(|fault| fault.on == endpoint) {
        if fault.skip > 0 {
            fault.skip -= 1;
        } else if fault.times > 0 && met.is_none() {
            fault.times -= 1;
            met = Some(fault.clone());
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_take_their_turns() {
        let mut faults = [
            Fault::new(Endpoint::Task, Action::Stall).skip(1).times(2),
            Fault::new(Endpoint::List, Action::Endless),
            Fault::new(Endpoint::Task, Action::CutJson).skip(1),
        ];
        let mut turn =
            || next(&mut faults, Endpoint::Task).map_or(String::new(), |fault| format!("{:?}", fault.action));
        assert_eq!([turn(), turn(), turn(), turn(), turn()], ["", "Stall", "Stall", "CutJson", ""]);
    }
}
