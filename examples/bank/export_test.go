package main

// What tests need of the program beside Main.
var NewFace = newFace
