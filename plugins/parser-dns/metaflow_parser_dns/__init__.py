"""DNS, mDNS and LLMNR for MetaFlow."""
