//! The bundled engines, streaming and batch, both Arrow-native.
