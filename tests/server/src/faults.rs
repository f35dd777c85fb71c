//! Faults that a test can add, and the requests that they apply to.

use std::time::Duration;

use crate::{Earlier, Endpoint, refusal};

/// A fault: after `skip` requests to an endpoint, the action applies to the next `times` ones. Requests count
/// from the time when the fault was added. If several faults apply to a request, the first one added is used,
/// and the others wait for the next request.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The endpoint whose requests it applies to.
    pub on: Endpoint,
    /// How many requests to leave alone first.
    pub skip: usize,
    /// How many requests it applies to.
    pub times: usize,
    /// Whether a deletion with this fault starts its task nevertheless, before the faulty reply. If not,
    /// replies that are cut short name a task that does not exist, and [`Action::Delay`] starts the task
    /// only after the delay.
    pub effect: bool,
    /// The reply to send instead of the real one.
    pub action: Action,
}

impl Fault {
    /// Returns a fault for the next request, without effect.
    pub fn new(on: Endpoint, action: Action) -> Fault {
        Fault { on, skip: 0, times: 1, effect: false, action }
    }

    /// Returns a fault for all requests, without effect.
    pub fn always(on: Endpoint, action: Action) -> Fault {
        Fault::new(on, action).times(usize::MAX)
    }

    /// Skips `n` requests first.
    pub fn skip(self, n: usize) -> Fault {
        Fault { skip: n, ..self }
    }

    /// Applies to `n` requests.
    pub fn times(self, n: usize) -> Fault {
        Fault { times: n, ..self }
    }

    /// Starts the task of a deletion nevertheless.
    pub fn with_effect(self) -> Fault {
        Fault { effect: true, ..self }
    }
}

/// The reply to a request with a fault, after the request was read. FIN and RST say how the connection
/// ends.
#[derive(Clone, Debug)]
pub enum Action {
    /// No reply, then RST.
    ResetBeforeReply,
    /// No reply, then FIN.
    CloseBeforeReply,
    /// The real reply's head and half of its body, then RST.
    ResetInReply,
    /// The real reply's head and half of its body, then FIN.
    CloseInReply,
    /// The real reply in chunks, cut before the end, then FIN.
    CutChunked,
    /// The real reply without a length, cut in half, then FIN (over TLS a proper close, so that
    /// only the content shows the cut).
    CutUnframed,
    /// The real reply's body cut in half, but framed as if it were whole.
    CutJson,
    /// This reply instead, of something in front of Connect.
    Reply {
        /// The status.
        status: u16,
        /// Its headers, without the content length.
        headers: Vec<(String, String)>,
        /// Its body.
        body: String,
    },
    /// This error of Connect instead.
    Error {
        /// The status.
        status: u16,
        /// Connect's code.
        code: i64,
        /// Its text.
        text: String,
        /// More headers than those of each reply of Connect.
        headers: Vec<(String, String)>,
    },
    /// These bytes, then FIN.
    Raw(Vec<u8>),
    /// The list of the caches as they were earlier. To other requests, the real reply.
    StaleList(Earlier),
    /// No reply, until the client closes the connection or the server stops.
    Stall,
    /// The real reply, after this time.
    Delay(Duration),
    /// The real reply, its body in four parts, with this pause before each.
    Pauses(Duration),
    /// 200 with a body in chunks that never ends.
    Endless,
}

impl Action {
    /// Returns a web server's page with this status, as a proxy or load balancer replies.
    pub fn html(status: u16) -> Action {
        Action::reply(status, crate::http::page(status)).with_header("Content-Type", "text/html")
    }

    /// Returns 200 with a login page, as a gateway replies to a client without its cookie.
    pub fn login_page() -> Action {
        Action::page("Sign in", "<form action=/login><input name=user><input name=password></form>")
    }

    /// Returns 200 with the page of a server that is being maintained.
    pub fn maintenance_page() -> Action {
        Action::page("Maintenance", "<h1>We will be back soon</h1>")
    }

    fn page(title: &str, content: &str) -> Action {
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body>{content}</body></html>\n"
        );
        Action::reply(200, page).with_header("Content-Type", "text/html; charset=utf-8")
    }

    /// Returns a reply without headers, such as an empty 200.
    pub fn reply(status: u16, body: impl Into<String>) -> Action {
        Action::Reply { status, headers: Vec::new(), body: body.into() }
    }

    /// Returns Connect's error object.
    pub fn error(status: u16, code: i64, text: &str) -> Action {
        Action::Error { status, code, text: text.into(), headers: Vec::new() }
    }

    /// Returns Connect's refusal of a wrong key, which a poll can get although the key is good.
    pub fn wrong_key() -> Action {
        let (status, code, text) = refusal::WRONG_KEY;
        Action::error(status, code, text)
    }

    /// Returns the same reply with another header.
    ///
    /// # Panics
    ///
    /// If the action is not a reply of its own.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Action {
        match &mut self {
            Action::Reply { headers, .. } | Action::Error { headers, .. } => {
                headers.push((name.into(), value.into()));
            }
            other => panic!("{other:?} has no headers of its own"),
        }
        self
    }
}

/// Returns the fault for a request to `endpoint`, and counts the request.
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
    fn applies_the_first_fault_that_is_due() {
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
