//! The messages of ONNX that an exported model consists of. Names and numbers are those of
//! `onnx/onnx.proto3` in <https://github.com/onnx/onnx>, IR version 10; what is not needed is left
//! out, which protocol buffers allow.

use prost::Message;

/// IR version, the first that has [`ML_OPSET`].
pub(super) const IR_VERSION: i64 = 10;
/// Version of the operators of the domain `ai.onnx` that came with it.
pub(super) const OPSET: i64 = 21;
/// Domain of the operators of classical machine learning.
pub(in crate::detectors) const ML_DOMAIN: &str = "ai.onnx.ml";
/// The first version with `TreeEnsemble`, which computes in double precision.
pub(super) const ML_OPSET: i64 = 5;

/// `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::detectors) enum DataType {
    Uint8 = 2,
    String = 8,
    Bool = 9,
    Double = 11,
}

/// `AttributeProto.AttributeType`.
enum AttributeType {
    Int = 2,
    Tensor = 4,
    Ints = 7,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(string, tag = "2")]
    pub(super) producer_name: String,
    #[prost(string, tag = "3")]
    pub(super) producer_version: String,
    #[prost(string, tag = "6")]
    pub(super) doc_string: String,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub(super) metadata_props: Vec<StringStringEntryProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// Of its values the one that `type` names is set, zero too: readers look for it.
#[derive(Clone, PartialEq, Message)]
pub(in crate::detectors) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub(in crate::detectors) name: String,
    #[prost(int64, optional, tag = "3")]
    pub(in crate::detectors) i: Option<i64>,
    #[prost(message, optional, tag = "5")]
    pub(in crate::detectors) t: Option<TensorProto>,
    #[prost(int64, repeated, tag = "8")]
    pub(in crate::detectors) ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(in crate::detectors) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub(in crate::detectors) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(super) string_data: Vec<Vec<u8>>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    /// Little endian.
    #[prost(bytes = "vec", tag = "9")]
    pub(in crate::detectors) raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
    #[prost(string, tag = "3")]
    pub(super) doc_string: String,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

/// `TypeProto.Tensor`.
#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionProto>,
}

/// `TensorShapeProto.Dimension`: one of both.
#[derive(Clone, PartialEq, Message)]
struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    dim_param: Option<String>,
}

impl AttributeProto {
    pub(in crate::detectors) fn int(name: &str, value: i64) -> Self {
        let r#type = AttributeType::Int as i32;
        Self { name: name.to_owned(), i: Some(value), r#type, ..Self::default() }
    }

    pub(in crate::detectors) fn ints(name: &str, ints: Vec<i64>) -> Self {
        Self { name: name.to_owned(), ints, r#type: AttributeType::Ints as i32, ..Self::default() }
    }

    pub(in crate::detectors) fn tensor(name: &str, tensor: TensorProto) -> Self {
        let r#type = AttributeType::Tensor as i32;
        Self { name: name.to_owned(), t: Some(tensor), r#type, ..Self::default() }
    }
}

impl TensorProto {
    fn new(data_type: DataType, length: usize) -> Self {
        Self { dims: vec![length as i64], data_type: data_type as i32, ..Self::default() }
    }

    pub(in crate::detectors) fn doubles(values: &[f64]) -> Self {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { raw_data, ..Self::new(DataType::Double, values.len()) }
    }

    pub(in crate::detectors) fn bytes(values: Vec<u8>) -> Self {
        let length = values.len();
        Self { raw_data: values, ..Self::new(DataType::Uint8, length) }
    }

    pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let string_data: Vec<_> = texts.map(|text| text.as_bytes().to_vec()).collect();
        Self { dims: vec![string_data.len() as i64], string_data, ..Self::new(DataType::String, 0) }
    }
}

impl ValueInfoProto {
    /// A column of as many rows as there are.
    pub(super) fn column(name: &str, data_type: DataType, doc_string: &str) -> Self {
        let rows = DimensionProto { dim_param: Some("rows".to_owned()), dim_value: None };
        let one = DimensionProto { dim_value: Some(1), dim_param: None };
        let shape = Some(TensorShapeProto { dim: vec![rows, one] });
        let tensor_type = Some(TensorTypeProto { elem_type: data_type as i32, shape });
        Self {
            name: name.to_owned(),
            r#type: Some(TypeProto { tensor_type }),
            doc_string: doc_string.to_owned(),
        }
    }
}
