//! Network meters and how they add up (deepflow-model 1.5).

/// Sum, count and maximum of a delay in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// sum in microseconds
    pub sum: u64,
    /// number of measurements
    pub count: u64,
    /// largest, microseconds
    pub max: u32,
}

impl Latency {
    /// Adds one measurement.
    pub fn add(&mut self, us: u64) {
        self.sum = self.sum.saturating_add(us);
        self.count += 1;
        self.max = self.max.max(u32::try_from(us).unwrap_or(u32::MAX));
    }

    /// Adds the measurements of another.
    pub fn merge(&mut self, other: &Latency) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
    }
}

macro_rules! network_meter {
    (pairs { $($pair:ident)* } sums { $($sum:ident)* } latencies { $($latency:ident)* }) => {
        /// What one path carried. A pair is `[tx, rx]`: sent by the client's end and received by it; in a one-ended
        /// document of the server's end it is turned round, so that tx is always what the row's own end sent.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[allow(missing_docs)] // the names are the catalogue's, which describes them
        pub struct NetworkMeter {
            $(pub $pair: [u64; 2],)*
            $(pub $sum: u64,)*
            $(pub $latency: Latency,)*
            /// flows with traffic in the second; of a minute the largest second
            pub flow_load: u64,
            /// largest score of the server's end, 0 to 255
            pub direction_score: u8,
        }

        impl NetworkMeter {
            /// Adds another meter of the same stretch of time.
            pub fn add(&mut self, other: &NetworkMeter) {
                let load = self.flow_load.saturating_add(other.flow_load);
                self.add_later(other);
                self.flow_load = load;
            }

            /// Adds a meter of another stretch of time: gauges keep the larger value.
            pub fn add_later(&mut self, other: &NetworkMeter) {
                $(for (sum, value) in self.$pair.iter_mut().zip(other.$pair) { *sum = sum.saturating_add(value); })*
                $(self.$sum = self.$sum.saturating_add(other.$sum);)*
                $(self.$latency.merge(&other.$latency);)*
                self.flow_load = self.flow_load.max(other.flow_load);
                self.direction_score = self.direction_score.max(other.direction_score);
            }

            /// The same seen from the other end.
            pub fn reversed(mut self) -> Self {
                $(self.$pair.reverse();)*
                self
            }
        }
    };
}

network_meter! {
    pairs { packet byte l3_byte l4_byte retrans zero_win ooo }
    sums {
        new_flow closed_flow l7_request l7_response syn_count synack_count retrans_syn retrans_synack
        client_rst_flow server_rst_flow server_syn_miss client_ack_miss client_half_close_flow server_half_close_flow
        client_source_port_reuse server_reset server_queue_lack client_establish_other_rst server_establish_other_rst
        tcp_timeout l7_client_error l7_server_error l7_timeout
    }
    latencies { rtt rtt_client rtt_server srt art rrt cit }
}

impl NetworkMeter {
    /// Counts how a flow ended: the close types of deepflow-model 3.4.
    pub fn close(&mut self, close_type: u8, is_tcp: bool) {
        let counter = match close_type {
            2 => &mut self.server_rst_flow,
            3 if is_tcp => &mut self.tcp_timeout,
            7 => &mut self.server_syn_miss,
            8 => &mut self.server_half_close_flow,
            9 => &mut self.client_rst_flow,
            10 => &mut self.client_ack_miss,
            11 => &mut self.client_half_close_flow,
            13 => &mut self.client_source_port_reuse,
            15 => &mut self.server_reset,
            17 => &mut self.server_queue_lack,
            18 => &mut self.client_establish_other_rst,
            19 => &mut self.server_establish_other_rst,
            _ => return,
        };
        *counter += 1;
    }

    /// `client_establish_fail`: the client's side kept the connection from being made.
    pub fn client_establish_fail(&self) -> u64 {
        self.client_ack_miss + self.client_source_port_reuse + self.client_establish_other_rst
    }

    /// `server_establish_fail`: the server's side kept the connection from being made.
    pub fn server_establish_fail(&self) -> u64 {
        self.server_syn_miss + self.server_reset + self.server_queue_lack + self.server_establish_other_rst
    }

    /// `tcp_transfer_fail`: a connection broke after it was made (a full accept queue counts here and above).
    pub fn tcp_transfer_fail(&self) -> u64 {
        self.client_rst_flow + self.server_rst_flow + self.server_queue_lack + self.tcp_timeout
    }

    /// `tcp_rst_fail`: a connection ended by a reset, whenever.
    pub fn tcp_rst_fail(&self) -> u64 {
        self.client_establish_other_rst
            + self.server_establish_other_rst
            + self.server_reset
            + self.client_rst_flow
            + self.server_rst_flow
    }
}
