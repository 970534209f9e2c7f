//! The columns of the relation and how each is built from events.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringViewArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::synthetic::{Attack, Flow};

/// A column of the relation, in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    EventId,
    Timestamp,
    SrcIp,
    SrcPort,
    DstIp,
    DstPort,
    Protocol,
    Duration,
    Bytes,
    Packets,
    Label,
}

impl Column {
    pub(super) const ALL: [Self; 11] = [
        Self::EventId,
        Self::Timestamp,
        Self::SrcIp,
        Self::SrcPort,
        Self::DstIp,
        Self::DstPort,
        Self::Protocol,
        Self::Duration,
        Self::Bytes,
        Self::Packets,
        Self::Label,
    ];

    fn field(self) -> Field {
        let integer = DataType::Int64;
        match self {
            Self::EventId => Field::new("event_id", integer, false),
            Self::Timestamp => {
                Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None), false)
            }
            Self::SrcIp => Field::new("src_ip", DataType::Utf8View, false),
            Self::SrcPort => Field::new("src_port", DataType::Int32, true),
            Self::DstIp => Field::new("dst_ip", DataType::Utf8View, false),
            Self::DstPort => Field::new("dst_port", DataType::Int32, true),
            Self::Protocol => Field::new("protocol", DataType::Utf8View, false),
            Self::Duration => Field::new("duration", DataType::Float64, false),
            Self::Bytes => Field::new("bytes", integer, false),
            Self::Packets => Field::new("packets", integer, false),
            Self::Label => Field::new("label", DataType::Utf8View, false),
        }
    }

    /// Whether its values never decrease from one event to the next.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::EventId | Self::Timestamp)
    }

    /// The values of this column.
    pub(super) fn array(self, flows: &[Flow]) -> ArrayRef {
        let connections = flows.iter().map(|flow| &flow.connection);
        match self {
            Self::EventId => Arc::new(Int64Array::from_iter_values(
                flows.iter().map(|flow| flow.event_id.cast_signed()),
            )),
            Self::Timestamp => Arc::new(TimestampMicrosecondArray::from_iter_values(
                flows.iter().map(|flow| flow.timestamp),
            )),
            Self::SrcIp => Arc::new(addresses(connections.map(|connection| connection.src_ip))),
            Self::SrcPort => Arc::new(Int32Array::from_iter(
                connections.map(|connection| connection.src_port.map(i32::from)),
            )),
            Self::DstIp => Arc::new(addresses(connections.map(|connection| connection.dst_ip))),
            Self::DstPort => Arc::new(Int32Array::from_iter(
                connections.map(|connection| connection.dst_port.map(i32::from)),
            )),
            Self::Protocol => Arc::new(StringViewArray::from_iter_values(
                connections.map(|connection| connection.protocol.as_str()),
            )),
            Self::Duration => Arc::new(Float64Array::from_iter_values(
                connections.map(|connection| connection.duration),
            )),
            Self::Bytes => Arc::new(Int64Array::from_iter_values(
                connections.map(|connection| connection.bytes),
            )),
            Self::Packets => Arc::new(Int64Array::from_iter_values(
                connections.map(|connection| connection.packets),
            )),
            Self::Label => Arc::new(StringViewArray::from_iter_values(
                flows.iter().map(|flow| flow.attack.map_or("benign", Attack::as_str)),
            )),
        }
    }
}

/// The schema of the relation.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(Column::ALL.map(Column::field).to_vec()))
}

/// Addresses in dotted decimal.
fn addresses(addresses: impl ExactSizeIterator<Item = u32>) -> StringViewArray {
    let mut builder = StringViewBuilder::with_capacity(addresses.len());
    let mut text = String::with_capacity("255.255.255.255".len());
    for address in addresses {
        text.clear();
        for octet in address.to_be_bytes() {
            if !text.is_empty() {
                text.push('.');
            }
            if octet >= 100 {
                text.push(char::from(b'0' + octet / 100));
            }
            if octet >= 10 {
                text.push(char::from(b'0' + octet / 10 % 10));
            }
            text.push(char::from(b'0' + octet % 10));
        }
        builder.append_value(&text);
    }
    builder.finish()
}
