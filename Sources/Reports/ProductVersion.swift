/// The version of this program and its library.
public let productVersion = "0.1.0"
