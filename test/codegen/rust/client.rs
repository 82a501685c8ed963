// What the clients of both generations share: a list of events that callbacks
// fill and the main thread waits for, and a value of every type.
use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::Duration;

pub struct Log {
    sender: Sender<String>,
    receiver: Receiver<String>,
}

impl Log {
    pub fn new() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver }
    }

    pub fn sender(&self) -> Sender<String> {
        self.sender.clone()
    }

    /// Wait for exactly these events, in any order.
    pub fn expect(&self, events: &[&str]) {
        let mut missing: Vec<&str> = events.to_vec();
        while !missing.is_empty() {
            let event = self
                .receiver
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|e| panic!("still waiting for {missing:?}: {e}"));
            match missing.iter().position(|m| *m == event) {
                Some(i) => drop(missing.remove(i)),
                None => panic!("unexpected event {event:?} while waiting for {missing:?}"),
            }
        }
    }

    /// No event was left over.
    pub fn finish(&self) {
        if let Ok(event) = self.receiver.try_recv() {
            panic!("unexpected event {event:?} at the end");
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn everything() -> crate::alltypes::Everything {
    use crate::alltypes::*;
    use spacetimedb_sdk::{i256, u256, ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp, Uuid};
    Everything {
        a_bool: true,
        an_i_8: -1,
        a_u_8: 2,
        an_i_16: -3,
        a_u_16: 4,
        an_i_32: -5,
        a_u_32: 6,
        an_i_64: -7,
        a_u_64: 8,
        an_i_128: -9,
        a_u_128: 10,
        an_i_256: i256::from(-11),
        a_u_256: u256::from(12u32),
        an_f_32: 0.5,
        an_f_64: 0.25,
        a_string: "hé".into(),
        bytes: vec![1, 2],
        ident: Identity::from_u256(13u32.into()),
        conn: ConnectionId::from_u128(14),
        ts: Timestamp::from_micros_since_unix_epoch(15),
        dur: TimeDuration::from_micros(16),
        at: ScheduleAt::Interval(TimeDuration::from_micros(17)),
        uuid: Uuid::from_u128(0x00112233445566778899aabbccddeeff),
        unit: (),
        opt_i_32: Some(5),
        opt_opt: None,
        res: Err("no".into()),
        nums: vec![1, -1],
        nested: vec![vec!["a".into()], vec![]],
        color: Color::Green,
        shape: Shape::Group(vec![Shape::Nothing, Shape::Radius(1.5), Shape::Corner(Leaf { x: 1.0, y: 2.0 })]),
        opt_leaf: None,
        empty: Empty {},
        deep: Some(vec![Shape::Nothing]),
        res_leaf: Ok(Leaf { x: 0.0, y: 0.0 }),
    }
}
