package main

// NewOwner gives tests the owner of the demo.
var NewOwner = newOwner
