//! Bindings of the module that is written to, in the form that
//! `generate --lang rust --bindings module` gives them (spec 09 §7.12).
use spacetimedb::sats::{de, ser, typespace::TypespaceBuilder, AlgebraicType};
use spacetimedb::SpacetimeType;

/// The identity of a database that runs the module.
#[derive(Clone, Copy, Debug)]
pub struct Identity(pub spacetimedb::Identity);

impl SpacetimeType for Identity {
    fn make_type<S: TypespaceBuilder>(typespace: &mut S) -> AlgebraicType {
        spacetimedb::Identity::make_type(typespace)
    }
}

impl ser::Serialize for Identity {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> de::Deserialize<'de> for Identity {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spacetimedb::Identity::deserialize(deserializer).map(Identity)
    }
}

#[allow(dead_code)]
pub struct ReceiveArgs {
    pub n: u64,
    pub text: String,
}

#[allow(non_camel_case_types)]
pub struct receive;

impl spacetimedb::rt::RemoteReducer for receive {
    const NAME: &'static str = "receive";
    const SIGNATURE_HASH: &'static str = "98ad6e4df1299ebd7bc3c201869ab9cf59ccbed055aef088b4c3929d07e54b88";
    type Args = ReceiveArgs;
}

pub const fn column(columns: &[(u16, &str)], name: &str) -> u16 {
    let want = name.as_bytes();
    let mut i = 0;
    while i < columns.len() {
        let have = columns[i].1.as_bytes();
        let mut j = 0;
        while j < want.len() && have.len() == want.len() && have[j] == want[j] {
            j += 1;
        }
        if j == want.len() && have.len() == want.len() {
            return columns[i].0;
        }
        i += 1;
    }
    panic!("the outbox has no column for a parameter of the reducer")
}

macro_rules! __spacetimedb_typecheck_outbox_receive {
    ($module:path, { $(($position:expr, $field:ident : $type:ty as $param:ident),)* }) => {{
        const COLUMNS: &[(u16, &str)] = &[$(($position, stringify!($param))),*];
        const POSITIONS: &[u16] = &[$crate::post::column(COLUMNS, "n"), $crate::post::column(COLUMNS, "text")];
        POSITIONS
    }};
}
pub(crate) use __spacetimedb_typecheck_outbox_receive;
