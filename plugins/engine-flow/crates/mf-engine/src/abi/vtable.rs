//! Native parsers: libraries that the engine calls through a table of C functions.

use std::ffi::c_void;

use mf_l7::{Fault, ParserRuntime, Seen, SEGMENT_HEADER};

/// Version of the parser ABI that this engine speaks.
pub const PARSER_ABI: u32 = 1;

type SegmentCall = unsafe extern "C" fn(ctx: *mut c_void, header: *const u8, payload: *const u8, len: u32) -> i64;
type CollectCall = unsafe extern "C" fn(ctx: *mut c_void, out: *mut *const u8) -> i64;
type Call = unsafe extern "C" fn(ctx: *mut c_void, len: u32, out: *mut *const u8) -> i64;

/// The function table of a native parser (`docs/explanation/data-plane.md`, "Parsers").
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Vtable {
    /// version of the ABI: 1
    pub abi: u32,
    /// bytes of this structure as the parser's host knows it
    pub size: u32,
    /// makes an instance, null when it cannot
    pub create: Option<unsafe extern "C" fn() -> *mut c_void>,
    /// ends an instance
    pub destroy: Option<unsafe extern "C" fn(ctx: *mut c_void)>,
    /// the input arena with room for at least `cap` bytes, null when there is no memory
    pub input: Option<unsafe extern "C" fn(ctx: *mut c_void, cap: u32) -> *mut u8>,
    /// options; may be absent
    pub configure: Option<Call>,
    /// is it this protocol?
    pub check: Option<Call>,
    /// parse
    pub parse: Option<Call>,
    /// one segment where it lies; may be absent, and tables that end before it are valid
    pub segment: Option<SegmentCall>,
    /// the records of the segments taken one by one; present when `segment` is
    pub collect: Option<CollectCall>,
}

/// Bytes of the table's first version, which ends behind `parse`.
const FIRST_SIZE: usize = std::mem::offset_of!(Vtable, segment);
/// Bit of a `segment` result: a violation is among the records.
const WITHDRAWN: u64 = 1 << 62;

/// The functions that must be there.
#[derive(Clone, Copy, Debug)]
struct Functions {
    create: unsafe extern "C" fn() -> *mut c_void,
    destroy: unsafe extern "C" fn(ctx: *mut c_void),
    input: unsafe extern "C" fn(ctx: *mut c_void, cap: u32) -> *mut u8,
    configure: Option<Call>,
    check: Call,
    parse: Call,
    direct: Option<(SegmentCall, CollectCall)>,
}

/// One instance of a native parser.
#[derive(Debug)]
pub struct NativeParser {
    functions: Functions,
    ctx: *mut c_void,
    /// `key=value` lines for `configure`
    options: Vec<u8>,
}

impl NativeParser {
    /// Reads the table and makes a configured instance.
    ///
    /// # Errors
    /// A sentence when the table is of another version or lacks a function, or when the parser refuses its options.
    ///
    /// # Safety
    /// `table` must point at a `Vtable` whose functions follow the parser ABI and stay loaded as long as the result lives.
    pub unsafe fn new(table: *const Vtable, options: &[(String, String)]) -> Result<Self, String> {
        // SAFETY: the caller promises that the table can be read; its head is two words in every version.
        let (abi, size) = unsafe { ((*table).abi, (*table).size) };
        if abi != PARSER_ABI || (size as usize) < FIRST_SIZE {
            return Err(format!(
                "its function table is of ABI {abi} with {size} bytes; this engine speaks ABI {PARSER_ABI} with {} bytes",
                FIRST_SIZE
            ));
        }
        let table = if size as usize >= std::mem::size_of::<Vtable>() {
            // SAFETY: version and size were checked.
            unsafe { *table }
        } else {
            let mut whole = std::mem::MaybeUninit::<Vtable>::zeroed();
            // SAFETY: the first version's bytes can be read; the functions that it lacks stay null, which is `None`.
            unsafe {
                std::ptr::copy_nonoverlapping(table.cast::<u8>(), whole.as_mut_ptr().cast::<u8>(), FIRST_SIZE);
                whole.assume_init()
            }
        };
        let missing = || "its function table lacks one of create, destroy, input, check, parse".to_string();
        let functions = Functions {
            create: table.create.ok_or_else(missing)?,
            destroy: table.destroy.ok_or_else(missing)?,
            input: table.input.ok_or_else(missing)?,
            configure: table.configure,
            check: table.check.ok_or_else(missing)?,
            parse: table.parse.ok_or_else(missing)?,
            direct: table.segment.zip(table.collect),
        };
        let options = options.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>().into_bytes();
        let mut parser = NativeParser { functions, ctx: std::ptr::null_mut(), options };
        parser.make().map_err(|fault| fault.to_string())?;
        Ok(parser)
    }

    fn make(&mut self) -> Result<(), Fault> {
        self.unmake();
        // SAFETY: a function of a checked table.
        self.ctx = unsafe { (self.functions.create)() };
        if self.ctx.is_null() {
            return Err(Fault::NoMemory);
        }
        let Some(configure) = self.functions.configure.filter(|_| !self.options.is_empty()) else { return Ok(()) };
        let options = std::mem::take(&mut self.options);
        let room = self.input(options.len());
        let written = room.and_then(|room| room.get_mut(..options.len())).map(|room| room.copy_from_slice(&options));
        self.options = options;
        written.ok_or(Fault::NoMemory)?;
        match self.run(configure, self.options.len()) {
            Ok([]) => Ok(()),
            // A sentence a line for every option that it refused.
            Ok(said) => {
                let said = String::from_utf8_lossy(said);
                let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
                Err(Fault::Trap(format!("it refused its options: {said}")))
            }
            Err(fault) => Err(Fault::Trap(format!("it refused its options: {fault}"))),
        }
    }

    fn unmake(&mut self) {
        if !self.ctx.is_null() {
            // SAFETY: the context came from `create` and is destroyed once.
            unsafe { (self.functions.destroy)(self.ctx) };
            self.ctx = std::ptr::null_mut();
        }
    }

    fn run(&self, function: Call, len: usize) -> Result<&[u8], Fault> {
        if self.ctx.is_null() {
            return Err(Fault::Internal);
        }
        let len = u32::try_from(len).map_err(|_| Fault::NoMemory)?;
        let mut out: *const u8 = std::ptr::null();
        // SAFETY: a function of a checked table with the context it made; `out` is written at most once.
        let result = unsafe { function(self.ctx, len, &mut out) };
        self.result(result, out)
    }

    fn result(&self, result: i64, out: *const u8) -> Result<&[u8], Fault> {
        match usize::try_from(result) {
            Err(_) => Err(Fault::from_code(result)),
            Ok(0) => Ok(&[]),
            Ok(_) if out.is_null() => Err(Fault::Lied("its result has a length but no bytes".to_string())),
            // SAFETY: by the ABI the result is valid until the next call, and `self` is borrowed until then.
            Ok(length) => Ok(unsafe { std::slice::from_raw_parts(out, length) }),
        }
    }
}

impl ParserRuntime for NativeParser {
    fn input(&mut self, cap: usize) -> Option<&mut [u8]> {
        if self.ctx.is_null() {
            return None;
        }
        let wanted = u32::try_from(cap).ok()?;
        // SAFETY: a function of a checked table with the context it made.
        let room = unsafe { (self.functions.input)(self.ctx, wanted) };
        // SAFETY: by the ABI the arena has at least `cap` bytes and stays until the next call.
        (!room.is_null()).then(|| unsafe { std::slice::from_raw_parts_mut(room, cap) })
    }

    fn check(&mut self, len: usize) -> Result<&[u8], Fault> {
        self.run(self.functions.check, len)
    }

    fn parse(&mut self, len: usize) -> Result<&[u8], Fault> {
        self.run(self.functions.parse, len)
    }

    fn takes_segments(&self) -> bool {
        self.functions.direct.is_some()
    }

    #[inline]
    fn segment(&mut self, header: &[u8; SEGMENT_HEADER], payload: &[u8]) -> Result<Seen, Fault> {
        let (Some((segment, _)), false) = (self.functions.direct, self.ctx.is_null()) else {
            return Err(Fault::Internal);
        };
        let len = u32::try_from(payload.len()).map_err(|_| Fault::NoMemory)?;
        // SAFETY: a function of a checked table with the context it made; header and payload live during the call.
        let result = unsafe { segment(self.ctx, header.as_ptr(), payload.as_ptr(), len) };
        let said = u64::try_from(result).map_err(|_| Fault::from_code(result))?;
        Ok(Seen { passes: said & (WITHDRAWN - 1), withdrew: said & WITHDRAWN != 0 })
    }

    fn collect(&mut self) -> Result<&[u8], Fault> {
        let (Some((_, collect)), false) = (self.functions.direct, self.ctx.is_null()) else {
            return Err(Fault::Internal);
        };
        let mut out: *const u8 = std::ptr::null();
        // SAFETY: a function of a checked table with the context it made; `out` is written at most once.
        let result = unsafe { collect(self.ctx, &mut out) };
        self.result(result, out)
    }

    fn restart(&mut self) -> Result<(), Fault> {
        self.make()
    }
}

impl Drop for NativeParser {
    fn drop(&mut self) {
        self.unmake();
    }
}
