// Package crypto seals personal data wherever Muster keeps it, and makes it unreadable for good when its subject asks for that.
package crypto
