//! Export of a [`Batch`] through the Arrow C Data Interface: the consumer owns the buffers and frees them by the
//! structures' release callbacks. No byte is copied.
//!
//! Layouts and ownership rules: <https://arrow.apache.org/docs/format/CDataInterface.html>. This is the crate's only
//! module with `unsafe`: the interface is made of raw pointers.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_void, CString};
use std::ptr::{null, null_mut};

use crate::batch::Batch;
use crate::column::{Column, Data};
use crate::schema::{Field, Type};

/// `struct ArrowSchema` of the interface.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowSchema {
    format: *const c_char,
    name: *const c_char,
    metadata: *const c_char,
    flags: i64,
    n_children: i64,
    children: *mut *mut ArrowSchema,
    dictionary: *mut ArrowSchema,
    release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    private_data: *mut c_void,
}

/// `struct ArrowArray` of the interface.
#[repr(C)]
#[derive(Debug)]
pub struct ArrowArray {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    dictionary: *mut ArrowArray,
    release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    private_data: *mut c_void,
}

const NULLABLE: i64 = 2;

/// What a schema points at; freed by its release callback.
struct SchemaParts {
    _format: CString,
    _name: CString,
    children: Vec<*mut ArrowSchema>,
    dictionary: *mut ArrowSchema,
}

/// What an array points at; freed by its release callback.
struct ArrayParts {
    /// keeps the memory behind `buffers`
    _column: Option<Box<dyn std::any::Any>>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    dictionary: *mut ArrowArray,
}

/// Moves a batch into the consumer's structures as a struct array with one child a column.
///
/// # Safety
/// `array` and `schema` must be valid for writes and hold nothing that still needs a release: they are overwritten.
pub unsafe fn export(batch: Batch, array: *mut ArrowArray, schema: *mut ArrowSchema) {
    let rows = batch.rows();
    let schemas = batch.present().map(|(field, _)| boxed(field_schema(field))).collect();
    let present = batch.columns.into_iter().filter(Column::is_there);
    let arrays = present.map(|column| boxed(column_array(column, rows))).collect();
    // SAFETY: the caller promises that both are valid for writes.
    unsafe {
        schema.write(make_schema("+s", "", 0, schemas, null_mut()));
        array.write(make_array(rows, 0, None, vec![null()], arrays, null_mut()));
    }
}

fn boxed<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

fn field_schema(field: &Field) -> ArrowSchema {
    let flags = if field.nullable { NULLABLE } else { 0 };
    let item = |format| vec![boxed(make_schema(format, "item", NULLABLE, Vec::new(), null_mut()))];
    let (format, children, dictionary) = match field.ty {
        Type::U8 => ("C", Vec::new(), null_mut()),
        Type::U16 => ("S", Vec::new(), null_mut()),
        Type::U32 => ("I", Vec::new(), null_mut()),
        Type::U64 => ("L", Vec::new(), null_mut()),
        Type::I32 => ("i", Vec::new(), null_mut()),
        Type::I64 => ("l", Vec::new(), null_mut()),
        Type::F64 => ("g", Vec::new(), null_mut()),
        Type::Bool => ("b", Vec::new(), null_mut()),
        Type::Utf8 => ("u", Vec::new(), null_mut()),
        Type::Fixed16 => ("w:16", Vec::new(), null_mut()),
        Type::ListUtf8 => ("+l", item("u"), null_mut()),
        Type::ListF64 => ("+l", item("g"), null_mut()),
        Type::DictUtf8 => ("i", Vec::new(), boxed(make_schema("u", "", NULLABLE, Vec::new(), null_mut()))),
    };
    make_schema(format, field.name, flags, children, dictionary)
}

fn make_schema(
    format: &str,
    name: &str,
    flags: i64,
    children: Vec<*mut ArrowSchema>,
    dictionary: *mut ArrowSchema,
) -> ArrowSchema {
    let parts = SchemaParts {
        _format: CString::new(format).unwrap_or_default(),
        _name: CString::new(name).unwrap_or_default(),
        children,
        dictionary,
    };
    let mut parts = Box::new(parts);
    ArrowSchema {
        format: parts._format.as_ptr(),
        name: parts._name.as_ptr(),
        metadata: null(),
        flags,
        n_children: parts.children.len() as i64,
        children: parts.children.as_mut_ptr(),
        dictionary,
        release: Some(release_schema),
        private_data: Box::into_raw(parts).cast(),
    }
}

fn column_array(column: Column, rows: usize) -> ArrowArray {
    let nulls = column.null_count;
    // A vector's memory does not move when the vector does, so the addresses stay right inside the box.
    let column = Box::new(column);
    let validity = column.validity.as_ref().filter(|_| nulls > 0).map_or(null(), |map| address(map.bytes()));
    let mut buffers = vec![validity];
    match &column.data {
        Data::U8(v) => buffers.push(address(v)),
        Data::U16(v) => buffers.push(address(v)),
        Data::U32(v) => buffers.push(address(v)),
        Data::U64(v) => buffers.push(address(v)),
        Data::I32(v) => buffers.push(address(v)),
        Data::I64(v) => buffers.push(address(v)),
        Data::F64(v) => buffers.push(address(v)),
        Data::Bool(v) => buffers.push(address(v.bytes())),
        Data::Fixed16(v) => buffers.push(address(v)),
        Data::Utf8(v) => buffers.extend([address(&v.offsets), address(&v.bytes)]),
        Data::Dict(_) | Data::ListUtf8(..) | Data::ListF64(..) => return nested_array(*column, rows, validity),
    }
    make_array(rows, nulls, Some(column), buffers, Vec::new(), null_mut())
}

/// Dictionaries and lists: the inner array may be moved away and released by itself, so it owns its own memory.
fn nested_array(column: Column, rows: usize, validity: *const c_void) -> ArrowArray {
    let Column { validity: map, null_count, data, .. } = column;
    match data {
        Data::Dict(dict) => {
            let buffers = vec![validity, address(&dict.indices)];
            let values = text_array(dict.values);
            make_array(rows, null_count, Some(Box::new((map, dict.indices))), buffers, Vec::new(), boxed(values))
        }
        Data::ListUtf8(offsets, items) => {
            let buffers = vec![validity, address(&offsets)];
            make_array(
                rows,
                null_count,
                Some(Box::new((map, offsets))),
                buffers,
                vec![boxed(text_array(items))],
                null_mut(),
            )
        }
        Data::ListF64(offsets, items) => {
            let buffers = vec![validity, address(&offsets)];
            let inner = vec![null(), address(&items)];
            let child = make_array(items.len(), 0, Some(Box::new(items)), inner, Vec::new(), null_mut());
            make_array(rows, null_count, Some(Box::new((map, offsets))), buffers, vec![boxed(child)], null_mut())
        }
        // Flat columns never come here.
        _ => make_array(0, 0, None, vec![null(), null()], Vec::new(), null_mut()),
    }
}

fn text_array(items: crate::strings::Strings) -> ArrowArray {
    let buffers = vec![null(), address(&items.offsets), address(&items.bytes)];
    make_array(items.len(), 0, Some(Box::new((items.offsets, items.bytes))), buffers, Vec::new(), null_mut())
}

fn address<T>(values: &[T]) -> *const c_void {
    values.as_ptr().cast()
}

fn make_array(
    length: usize,
    null_count: usize,
    column: Option<Box<dyn std::any::Any>>,
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    dictionary: *mut ArrowArray,
) -> ArrowArray {
    let mut parts = Box::new(ArrayParts { _column: column, buffers, children, dictionary });
    ArrowArray {
        length: length as i64,
        null_count: null_count as i64,
        offset: 0,
        n_buffers: parts.buffers.len() as i64,
        n_children: parts.children.len() as i64,
        buffers: parts.buffers.as_mut_ptr(),
        children: parts.children.as_mut_ptr(),
        dictionary,
        release: Some(release_array),
        private_data: Box::into_raw(parts).cast(),
    }
}

/// Frees a schema made here. The consumer calls it once, by the pointer in the structure.
unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: the interface has the consumer pass a structure that `make_schema` filled and that is not yet released;
    // children and dictionary were boxed here, and one that the consumer moved away has its release cleared.
    unsafe {
        let Some(schema) = schema.as_mut() else {
            return;
        };
        if schema.release.take().is_none() || schema.private_data.is_null() {
            return;
        }
        let parts = Box::from_raw(schema.private_data.cast::<SchemaParts>());
        schema.private_data = null_mut();
        for child in parts.children.iter().copied().chain([parts.dictionary]).filter(|child| !child.is_null()) {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&mut *child);
            }
        }
    }
}

/// Frees an array made here. The consumer calls it once, by the pointer in the structure.
unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: as in `release_schema`.
    unsafe {
        let Some(array) = array.as_mut() else { return };
        if array.release.take().is_none() || array.private_data.is_null() {
            return;
        }
        let parts = Box::from_raw(array.private_data.cast::<ArrayParts>());
        array.private_data = null_mut();
        for child in parts.children.iter().copied().chain([parts.dictionary]).filter(|child| !child.is_null()) {
            let mut child = Box::from_raw(child);
            if let Some(release) = child.release {
                release(&mut *child);
            }
        }
    }
}
